/** Who holds conferences, as other Node-REDs are told. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';

/** Name of this process as owner of conferences: another one after each start. */
export const owner = `${hostname()}/${randomUUID().slice(0, 8)}`;
