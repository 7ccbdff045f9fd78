import type { Knock } from "./knock.ts";

/**
 * The one knock that a decoder or a reader fills again and again, so that a flood makes no garbage. What it holds is
 * only meaningful after a decode that dropped nothing.
 */
export class KnockBuffer implements Knock {
  atMicros = 0;
  stampMicros = 0;
  readonly source = new Uint32Array(4);
  readonly target = new Uint32Array(4);
  protocol = 0;
  port = 0;
  sourcePort = 0;
  flags = 0;
  sequenceNumber = 0;
  ipId = 0;
}
