/** Programs that have good reason to see packets, by the file that runs, and the reason. */
const knownPrograms: Readonly<Record<string, string>> = {
  arping: "asks who has an address",
  avahi_autoipd: "claims link-local addresses",
  dhclient: "DHCP client: answers come before there is an address",
  dhcpcd: "DHCP client: answers come before there is an address",
  dhcpd: "DHCP server: clients have no address yet",
  dnsmasq: "DHCP server: clients have no address yet",
  dumpcap: "Wireshark's capture: somebody is looking",
  fwknopd: "single packet authorization: a door of its own",
  hostapd: "access point: speaks below IP",
  keepalived: "VRRP: speaks to other routers",
  knockd: "port knocking: a door of its own",
  lldpd: "LLDP: tells neighbours what it is",
  NetworkManager: "DHCP client and LLDP",
  ping: "waits for echo replies",
  snort: "intrusion detection",
  suricata: "intrusion detection",
  "systemd-networkd": "DHCP client, LLDP and neighbour discovery",
  tcpdump: "somebody is looking",
  tshark: "somebody is looking",
  wpa_supplicant: "speaks below IP to the access point",
  zeek: "intrusion detection",
};

/** Where a distribution installs programs; what lies elsewhere may bear any name. */
const systemFolders = /^(\/usr)?(\/local)?\/(s?bin|lib(exec)?)\//;

/**
 * Why a program is known to be good, or undefined. By the path of the file that runs, which a process cannot choose as it can
 * choose its name; a file that was deleted is nobody's. It says nothing about what was put in the file's place.
 */
export function knownProgram(executable: string, command: readonly string[]): string | undefined {
  if (!systemFolders.test(executable) || executable.endsWith(" (deleted)")) return undefined;
  const name = executable.slice(executable.lastIndexOf("/") + 1);
  if (name === "node" && /\/capture\/capture-child\.js$/.test(command[1] ?? "")) return "Knockgate's own capture";
  return Object.hasOwn(knownPrograms, name) ? knownPrograms[name] : undefined;
}
