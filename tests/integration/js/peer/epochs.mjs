// "Epochs" of the exchange: which one is in force here, those before it, and the certificate of each that followed.
import { same } from '../lib/bytes.mjs'
import { SKEW_AHEAD_MS_MAX } from '../lib/counting.mjs'
import { openEpochCertificate, parseEpochCertificate } from '../lib/epochs.mjs'
import { refuse } from '../lib/refusal.mjs'
import { openValue } from '../lib/statements.mjs'

export class Epochs {
  constructor (first) {
    Object.assign(this, { current: first, links: [] })
  }

  /** That epoch, in force or over; undefined where it is not of this chain. */
  of (hash) {
    return [this.current, ...this.links.map(one => one.parent)].find(one => same(one.hash, hash))
  }

  /** The certificates of every epoch after that one, oldest first; null where it is not of this chain. */
  following (hash) {
    if (same(hash, this.current.hash)) return []
    const at = this.links.findIndex(one => same(one.parent.hash, hash))
    return at < 0 ? null : this.links.slice(at).map(one => one.raw)
  }

  /** The next epoch, in force from now on, and who committed to it; 'known', or 'ahead' where something is missing before
   *  it; refused where it proves nothing. */
  take (raw, now) {
    const value = openValue(parseEpochCertificate(raw).value)
    if (!same(value.parent, this.current.hash)) return value.number > this.current.number + 1n ? 'ahead' : 'known'
    if (value.activates_ms > now + SKEW_AHEAD_MS_MAX) refuse('from-the-future', 'the epoch begins ahead of now')
    const { committed, epoch } = openEpochCertificate(raw, this.current)
    this.links.push({ parent: this.current, raw })
    this.current = epoch
    return { committed, epoch }
  }
}
