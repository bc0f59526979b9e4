/** Where in its data folder a node keeps what makes it one of its cluster. */
import { join } from 'node:path';

export const clusterFolder = (dataDir: string): string => join(dataDir, 'cluster');

export const keyPath = (folder: string): string => join(folder, 'node.key');
/** What the cluster gave it. */
export const givenPath = (folder: string): string => join(folder, 'given.json');
