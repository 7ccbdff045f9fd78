import { type PortRange, protocols } from "./port.ts";

/** Services that doors are made for, with the ports of IANA's registry. The file /etc/services is not asked: what is read may come from another host. */
const services: Readonly<Record<string, readonly string[]>> = {
  ftp: ["21/tcp"],
  ssh: ["22/tcp"],
  openssh: ["22/tcp"],
  telnet: ["23/tcp"],
  smtp: ["25/tcp"],
  domain: ["53/tcp", "53/udp"],
  http: ["80/tcp"],
  imap: ["143/tcp"],
  https: ["443/tcp"],
  openvpn: ["1194/udp"],
  mysql: ["3306/tcp"],
  postgresql: ["5432/tcp"],
  vnc: ["5900/tcp"],
  "vnc-server": ["5900-5903/tcp"],
  wireguard: ["51820/udp"],
};

/** The ports of a service by its name in any case; undefined where the name is not known. */
export function servicePorts(name: string): readonly PortRange[] | undefined {
  const key = name.toLowerCase();
  return Object.hasOwn(services, key) ? services[key]?.flatMap((text) => readPorts(text) ?? []) : undefined;
}

/** A guess from a name that holds a service's: `openSSH`, `knock_http`. The longest that fits, so that https is not http. */
export function guessedPorts(name: string): readonly PortRange[] | undefined {
  const found = Object.keys(services).filter((service) => name.toLowerCase().includes(service));
  return servicePorts(found.sort((one, other) => other.length - one.length)[0] ?? "");
}

/**
 * Ports as firewall tools write them: `22`, `22,80`, `6000:6010` or `6000-6010`, `ssh`, each with `/tcp` or `/udp` behind it or of the
 * protocols handed in. Undefined where one is none.
 */
export function readPorts(text: string, of: readonly (typeof protocols)[number][] = ["tcp"]): PortRange[] | undefined {
  const found: PortRange[] = [];
  for (const field of text.split(",")) {
    const [ports = "", protocol] = field.trim().split("/");
    const range = /^(\d{1,5})(?:[:-](\d{1,5}))?$/.exec(ports);
    const named = range === null ? servicePorts(ports) : undefined;
    const ofThese = protocol === undefined ? of : protocols.filter((each) => each === protocol);
    if (range === null && named === undefined) return undefined;
    if (ofThese.length === 0) return undefined;
    if (named !== undefined) found.push(...named);
    else
      for (const each of ofThese)
        found.push({ protocol: each, first: Number(range?.[1]), last: Number(range?.[2] ?? range?.[1]) });
  }
  return found.every(({ first, last }) => first >= 1 && last <= 65535 && first <= last) ? found : undefined;
}
