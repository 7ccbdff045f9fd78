/** Why a capture cannot be read; stable across releases. */
export const captureErrors = {
  "savefile-unreadable": "The capture file cannot be read",
  "savefile-format": "This is no pcap file",
  "savefile-pcapng": "This is a pcapng file; convert it with `tcpdump -r FILE -w FILE.pcap` and read that",
  "savefile-link-type": "Frames of this link type are not understood",
} as const;
export type CaptureErrorCode = keyof typeof captureErrors;

/** A capture that cannot be read at all; single bad packets are drop reasons instead. */
export class CaptureError extends Error {
  override readonly name = "CaptureError";
  readonly code: CaptureErrorCode;

  constructor(code: CaptureErrorCode, detail: string, options?: ErrorOptions) {
    super(`${captureErrors[code]}: ${detail}.`, options);
    this.code = code;
  }
}
