/** The process's environment, read in one place: everything else gets it as an argument. */

export type Environment = Readonly<Record<string, string | undefined>>;

/** A copy: what changes later is not seen. */
export function readEnvironment(): Environment {
  return { ...process.env };
}
