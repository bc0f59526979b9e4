/** Writes `client.d.ts` to the path it is given; run by the build. */
import { writeFileSync } from 'node:fs';
import { openApiDocument } from '../api/app.ts';
import { declarationsOf, type Document } from './declarations.ts';

const client = `export type Problem = Schemas['Problem'];

export interface ConnectOptions {
  /** \`/run/hivemind/n1.sock\` or \`http://127.0.0.1:4483\`. */
  readonly address: string;
  /** Over TCP. */
  readonly token?: string;
}

type Given<Name extends 'params' | 'query' | 'body', Value> = Value extends undefined
  ? { readonly [Key in Name]?: undefined }
  : {} extends Value
    ? { readonly [Key in Name]?: Value }
    : { readonly [Key in Name]: Value };

export type Ask<Name extends keyof Operations> = Given<'params', Operations[Name]['params']> &
  Given<'query', Operations[Name]['query']> &
  Given<'body', Operations[Name]['body']> & {
    readonly ifMatch?: string;
    readonly ifNoneMatch?: string;
    /** With it a POST is done once, however often it is sent. */
    readonly idempotencyKey?: string;
    readonly signal?: AbortSignal;
  };

export interface Answered<Value> {
  readonly status: number;
  readonly etag?: string;
  /** Absent from a 304. */
  readonly value?: Value;
}

type Asked<Name extends keyof Operations> = {} extends Ask<Name> ? [ask?: Ask<Name>] : [ask: Ask<Name>];

type Lined = { [Name in keyof Operations]: [Operations[Name]['line']] extends [never] ? never : Name }[keyof Operations];

/** What the node refuses: its problem, with code and hint. */
export declare class HivemindError extends Error {
  readonly problem: Problem;
}

export interface Client {
  /** Rejects with a HivemindError when the node refuses, with Node's own error when it cannot be reached. */
  request<Name extends keyof Operations>(operation: Name, ...asked: Asked<Name>): Promise<Answered<Operations[Name]['answer']>>;
  /** The lines of an answer that comes in lines, as they come; leaving the loop ends it. */
  lines<Name extends Lined>(operation: Name, ...asked: Asked<Name>): AsyncGenerator<Operations[Name]['line'], void, undefined>;
  /** Idle connections go. */
  close(): void;
}

export declare function connect(options: ConnectOptions): Client;
`;

writeFileSync(process.argv[2]!, `${declarationsOf(openApiDocument('0.0.0') as Document)}\n${client}`);
