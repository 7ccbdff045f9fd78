import type { Packet } from "../decode/packet.ts";
import { type Carrier, type Flow, protocolOf } from "./flow.ts";

/** More flows than the steps of any sequence; who has more of them unanswered at once scans. */
const mostFlows = 48;

/** When a packet was seen: on the clock that never goes back, and on the wall. */
type PacketTimes = Pick<Packet, "atMicros" | "stampMicros">;

/** What one host has lately sent to one other. Owned by the traffic; fixed memory. */
export class Peer {
  /** By the time of their first packet, ascending. */
  readonly flows: Flow[] = [];
  /** TCP connections that the other side accepted, ever. */
  connections = 0;
  /** Whether the other side has answered anything, ever. */
  isAnswered = false;

  /** The flow of a packet from this port to that one. */
  find(protocol: number, port: number, sourcePort: number): Flow | undefined {
    for (let at = this.flows.length - 1; at >= 0; at--) {
      const flow = this.flows[at] as Flow;
      if (flow.port === port && flow.sourcePort === sourcePort && protocolOf(flow.carrier) === protocol) return flow;
    }
    return undefined;
  }

  /** Adds a flow; what is older than `keepMicros` is forgotten, and when there are too many, answered ones first. */
  add(carrier: Carrier, port: number, sourcePort: number, at: PacketTimes, keepMicros: number): Flow {
    const { flows } = this;
    while (flows.length > 0 && at.atMicros - (flows[0] as Flow).lastMicros > keepMicros) flows.shift();
    if (flows.length >= mostFlows) {
      const answered = flows.findIndex((flow) => flow.answered);
      flows.splice(Math.max(0, answered), 1);
    }
    const flow: Flow = {
      carrier,
      port,
      sourcePort,
      firstMicros: at.atMicros,
      firstStamp: at.stampMicros,
      lastMicros: at.atMicros,
      packets: 1,
      answered: false,
      afterDenial: false,
      failedKnocks: 0,
      intervalMicros: 0,
      regularIntervals: 0,
    };
    flows.push(flow);
    return flow;
  }
}
