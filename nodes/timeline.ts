/** The timeline in the editor's sidebar: this half tells what was recorded, to whoever may read it and asks. */
import type { IncomingMessage } from 'node:http';
import type { NodeAPI, NodeDef } from 'node-red';
import type { JsonObject } from './recovery/messages';
import { conferenceName, fact } from './recovery/step';
import { present } from './runtime/keyed-node';
import type { Endpoint } from './signaling/endpoint';
import type { PoolFault } from './signaling/pool/pool';
import { recorder } from './timeline/recorder';

/** What is used of Express, which Node-RED brings along. */
type Request = IncomingMessage & { query: { [name: string]: unknown }; body: unknown };
interface Response {
  status(code: number): Response;
  json(answer: object): void;
}

/** A conference of an embedded pool, which can be broken on purpose. */
interface PoolOfConference {
  endpoint: string;
  name: string;
  /** As the fault-injector's `status` tells it. */
  status: JsonObject;
}

export = (RED: NodeAPI): void => {
  const { disableEditor, httpAdminRoot } = RED.settings as { disableEditor?: boolean; httpAdminRoot?: unknown };
  if (disableEditor === true || httpAdminRoot === false) return;
  recorder.start();
  RED.plugins.registerPlugin('conference-recovery-timeline', { type: 'conference-recovery' });

  const read = RED.auth.needsPermission('conference-recovery.read');
  const write = RED.auth.needsPermission('conference-recovery.write');

  /**
   * `GET conference-recovery/timeline?life=&since=&conference=&after=`: conferences with news since the cursor `since`, and
   * of the chosen conference all that came after the cursor `after`. Cursors of another life of the process count as 0.
   */
  RED.httpAdmin.get('/conference-recovery/timeline', read, ({ query }: Request, response: Response) => {
    const { conference } = query;
    const sameLife = Number(query.life) === recorder.since;
    const cursorIn = (value: unknown): number => (sameLife ? Number(value) || 0 : 0);
    response.json({
      life: recorder.since,
      now: Date.now(),
      cursor: recorder.cursor,
      ...recorder.summaries(cursorIn(query.since)),
      ...(typeof conference === 'string' && conference ? chosen(conference, cursorIn(query.after)) : {}),
    });
  });

  /** `POST conference-recovery/faults` {endpoint, conference, command, …}: injects a fault into an embedded pool. */
  RED.httpAdmin.post('/conference-recovery/faults', write, ({ body }: Request, response: Response) => {
    const { endpoint, conference, ...fault } = (body ?? {}) as JsonObject;
    const pool = poolOf(endpoint);
    if (!pool || typeof conference !== 'string') {
      return response.status(404).json({ message: 'There is no such embedded pool.' });
    }
    const injected = pool.inject(fault as unknown as PoolFault, conference);
    if (!injected.ok) return response.status(409).json({ message: injected.message });
    const state = { version: 1, conference, seq: 0, dialog: 0, incident: null };
    const told = { event: 'fault-injected' as const, fault: String(fault.command), detail: injected.detail };
    const name = endpointWith(endpoint)?.nameOf(conference) ?? conferenceName(conference);
    recorder.record(String(endpoint), name, fact(state, 'fault-injector', present(), 'info', told));
    response.json(injected.detail);
  });

  function chosen(conference: string, after: number): object {
    const history = recorder.historyOf(conference);
    const entries = history?.entries.filter(({ cursor }) => cursor > after) ?? [];
    const standing = after === 0 ? (history?.standing ?? []) : [];
    const nodes = new Set([...(history?.standing ?? []), ...(history?.entries ?? [])].map(({ node }) => node));
    const gone = [...nodes].filter((node) => !RED.nodes.getNode(node));
    return { chosen: { conference, standing, entries, gone, pools: poolsWith(conference) } };
  }

  function poolsWith(conference: string): PoolOfConference[] {
    const pools: PoolOfConference[] = [];
    RED.nodes.eachNode(({ id, type, name }: NodeDef) => {
      const status = type === 'conference-endpoint' ? poolOf(id)?.status(conference) : undefined;
      if (status?.exists === true) pools.push({ endpoint: id, name, status });
    });
    return pools;
  }

  function endpointWith(id: unknown): Endpoint | undefined {
    return (RED.nodes.getNode(String(id)) as { endpoint?: Endpoint } | null)?.endpoint;
  }

  function poolOf(id: unknown): Endpoint['pool'] | undefined {
    return endpointWith(id)?.pool;
  }
};
