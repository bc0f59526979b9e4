/** Which methods a path has: what is asked in another way is told which would do. */
import { coded } from '../../../protocols/errors.ts';

interface Named {
  readonly method: string;
  /** As OpenAPI writes it. */
  readonly path: string;
}

/** For what no route took: HM-API-METHOD when the path has others, else HM-API-ROUTE. */
export function refusalOf(routes: readonly Named[]): (method: string, path: string) => Error {
  const known = routes.map(({ method, path }) => ({
    method: method.toUpperCase(),
    pattern: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`),
  }));
  return (method, path) => {
    const methods = new Set(known.flatMap((one) => (one.pattern.test(path) ? [one.method] : [])));
    if (methods.size === 0) return coded('HM-API-ROUTE', `There is no ${method} ${path}`);
    if (methods.has('GET')) methods.add('HEAD');
    const allow = [...methods].sort().join(', ');
    return coded('HM-API-METHOD', `${path} takes ${allow}, not ${method}`, { allow }, `Ask it by ${allow}.`);
  };
}
