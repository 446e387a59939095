// The clock, and byte strings by the frame.
const PER_FRAME = 64
const FRAME_ROOM = 200000

export const clock = () => BigInt(Date.now())

/** Byte strings in portions that fit into a frame. */
export function * portions (raws, most = PER_FRAME) {
  let portion = []
  let size = 0
  for (const raw of raws) {
    if (portion.length === most || (portion.length > 0 && size + raw.length > FRAME_ROOM)) {
      yield portion
      portion = []
      size = 0
    }
    portion.push(raw)
    size += raw.length
  }
  if (portion.length > 0) yield portion
}
