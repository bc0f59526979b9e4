/** Where the API of another node listens, as it told, and how a person gets there: the next step of what only that node does. */

export interface ApiPlace {
  readonly name: string;
  /** Where its cluster port is. */
  readonly host: string;
  /** `127.0.0.1:4483`; absent when it told of none. */
  readonly apiAddress?: string;
}

/** An address and a port: it comes from another node and is shown as part of a command. */
export const apiAddressPattern = /^(?:\d{1,3}(?:\.\d{1,3}){3}|localhost|\[[0-9a-f:]{2,39}\]):\d{1,5}$/;

export const isLoopback = (apiAddress: string): boolean => /^(?:127\.|localhost:|\[::1\]:)/.test(apiAddress);

/** The near end of a way to it: no port of a node. */
const tunnelPort = 14_483;

/** `ssh -fNL 14483:127.0.0.1:4483 10.0.0.2`: what makes a loopback API be reached from here. */
const tunnelTo = ({ host }: ApiPlace, apiAddress: string): string =>
  `ssh -fNL ${tunnelPort}:${apiAddress} ${host}`;

/** What to do to ask that node. */
export function reachApi(place: ApiPlace): string {
  const { name, host, apiAddress } = place;
  if (apiAddress === undefined) return `The same command on ${name} (${host}), which told of no API address.`;
  const token = `and the token of ${name}`;
  if (!isLoopback(apiAddress)) return `The same command with --address ${apiAddress} ${token}.`;
  return `${tunnelTo(place, apiAddress)} and the same command with --address 127.0.0.1:${tunnelPort} ${token}.`;
}

/** The same in a list of what is known of a node. */
export function apiText(place: ApiPlace): string {
  const { apiAddress } = place;
  if (apiAddress === undefined) return 'API at an address that it has not told';
  if (!isLoopback(apiAddress)) return `API at ${apiAddress}`;
  return `API at ${apiAddress} of its machine; from elsewhere: ${tunnelTo(place, apiAddress)}`;
}
