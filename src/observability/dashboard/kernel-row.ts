import { chosen, type DashboardRow, perMinute, perSecond, quantiles } from "./panel.ts";

/** What libpcap and nftables do. */
export const kernelRow: DashboardRow = {
  title: "Kernel",
  panels: [
    {
      title: "Packets kept out",
      help: "Of strangers, to guarded ports. Dropped, or in observe only counted.",
      kind: "lines",
      unit: "pps",
      width: 8,
      queries: [{ expr: perSecond("knockgate_guarded_dropped_packets_total", "instance"), legend: "{{instance}}" }],
    },
    {
      title: "Packets captured",
      help: "They passed the kernel's filter for watched ports. None for hours means a deaf capture, where scanners reach the host.",
      kind: "lines",
      unit: "pps",
      width: 8,
      queries: [
        {
          expr: perSecond("knockgate_capture_packets_total", "instance, interface"),
          legend: "{{instance}} {{interface}}",
        },
      ],
    },
    {
      title: "Packets lost before they were decoded",
      help: "By the kernel's ring, the interface, or the queue of the capture child. Knocks may be among them.",
      kind: "lines",
      unit: "pps",
      width: 8,
      queries: [{ expr: perSecond("knockgate_capture_dropped_packets_total", "reason"), legend: "{{reason}}" }],
    },
    {
      title: "Captured packets that are no knock",
      help: "Not local is what the host forwards or sees of others; duplicate is what two taps saw.",
      kind: "lines",
      unit: "pps",
      width: 8,
      queries: [{ expr: perSecond("knockgate_decode_discarded_packets_total", "reason"), legend: "{{reason}}" }],
    },
    {
      title: "Transactions of nftables",
      help: "Each opens, closes or loads something. One that failed is split and tried again.",
      kind: "lines",
      unit: "cpm",
      width: 8,
      queries: [{ expr: perMinute("knockgate_nftables_transactions_total", "result"), legend: "{{result}}" }],
    },
    {
      title: "Time of a transaction",
      help: "0.1 ms by the library, 4 ms by the program nft; a gap where there was none.",
      kind: "lines",
      unit: "s",
      width: 8,
      queries: quantiles("knockgate_nftables_transaction_seconds", 'result="ok",'),
    },
    {
      title: "Changes by others put right",
      help: "Somebody flushed or changed Knockgate's table. Between that and its repair guarded ports may have been open.",
      kind: "lines",
      unit: "cpm",
      width: 8,
      queries: [{ expr: perMinute("knockgate_nftables_drift_total", "instance"), legend: "{{instance}}" }],
    },
    {
      title: "Since the table was last found as wanted",
      help: "It is compared every 30 seconds at least.",
      kind: "lines",
      unit: "s",
      width: 8,
      badFrom: 180,
      queries: [{ expr: `time() - knockgate_nftables_last_sync_timestamp_seconds{${chosen}}`, legend: "{{instance}}" }],
    },
    {
      title: "Capture begun anew, by cause",
      help: "Reload is a change of the policies; everything else is a fault that was mended.",
      kind: "lines",
      unit: "cpm",
      width: 8,
      queries: [{ expr: perMinute("knockgate_capture_restarts_total", "cause"), legend: "{{cause}}" }],
    },
  ],
};
