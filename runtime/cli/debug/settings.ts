/** The settings that a node would start with here, as `hivemind config show` reads them. */
import { readFileSync } from 'node:fs';
import type { Environment } from '../../config/environment.ts';
import { readNodeConfig, type ReadConfig } from '../../config/node-config.ts';

export const loadLocalConfig = (flags: readonly string[], environment: Environment): ReadConfig =>
  readNodeConfig(flags, environment, (path) => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return undefined;
    }
  });
