// Frames of a member stream: a length of 4 bytes, big-endian, and that many bytes; its top bit marks a control frame.
const CONTROL = 0x80000000
const CONTROL_BYTES = 9
export const PING = 1
export const PONG = 2
export const FRAME_MAX = { entries: 64 * 1024, sync: 256 * 1024 }

function withLength (length, bytes) {
  const out = new Uint8Array(4 + bytes.length)
  new DataView(out.buffer).setUint32(0, length)
  out.set(bytes, 4)
  return out
}

export const encodeFrame = bytes => withLength(bytes.length, bytes)
export const encodeControl = (kind, nonce) => withLength((CONTROL | CONTROL_BYTES) >>> 0, Uint8Array.of(kind, ...nonce))

/** Chunks of a stream to frames {raw} and controls {kind, nonce}; throws at the first byte that is neither. */
export class FrameReader {
  constructor (frameMax) {
    this.frameMax = frameMax
    this.held = new Uint8Array(0)
  }

  feed (chunk) {
    const joined = new Uint8Array(this.held.length + chunk.length)
    joined.set(this.held)
    joined.set(chunk, this.held.length)
    const found = []
    let at = 0
    while (joined.length - at >= 4) {
      const word = new DataView(joined.buffer, at).getUint32(0)
      const length = word >= CONTROL ? word - CONTROL : word
      if (word >= CONTROL ? length !== CONTROL_BYTES : length === 0 || length > this.frameMax) throw new Error(`a frame of ${length} bytes`)
      if (joined.length - at < 4 + length) break
      found.push(word >= CONTROL ? control(joined.subarray(at + 4, at + 4 + length)) : { raw: joined.slice(at + 4, at + 4 + length) })
      at += 4 + length
    }
    this.held = joined.slice(at)
    return found
  }
}

function control (bytes) {
  if (bytes[0] !== PING && bytes[0] !== PONG) throw new Error(`a control frame of kind ${bytes[0]}`)
  return { kind: bytes[0], nonce: bytes.slice(1) }
}
