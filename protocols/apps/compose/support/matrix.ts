/** All sections of the support matrix together. Read first: support.ts. */
import { blockKeys, extensionKeys, topKeys } from './other-keys.ts';
import { deployKeys, serviceKeys } from './service-keys.ts';
import type { Section } from './support.ts';

const sections = { ...topKeys, services: serviceKeys, ...deployKeys, ...blockKeys, ...extensionKeys };

export type SectionName = keyof typeof sections;

/** By where a key stands. */
export const supportMatrix: Readonly<Record<SectionName, Section>> = sections;
