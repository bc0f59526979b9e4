/**
 * V8 and the C library for a process that idles: little memory before speed. Imported first, for its effect alone, so
 * that the heap is small before anything fills it. What it is not: a limit; the heap may still grow to what Node allows.
 */
import { setFlagsFromString } from 'node:v8';

// The young generation stays at its first size: it would grow to 32 MB at a burst and hardly ever shrink.
setFlagsFromString('--semi-space-growth-factor=1');
// Collects the old generation sooner, and throws away compiled code that is not used.
setFlagsFromString('--optimize-for-size');

// The C library's part comes with the environment (runtime/setup/build.mjs) and is not for what the daemon starts.
delete process.env['MALLOC_ARENA_MAX'];
delete process.env['MALLOC_TRIM_THRESHOLD_'];
