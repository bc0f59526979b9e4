/**
 * The library that knows X.509, with what it needs to be there before it. Never imported but by `import()`: a bundle of its
 * own beside the daemon's, which a node alone never reads.
 */
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';

export { x509 };
