// A member as one who answers claims: it fetches what they say, reads its own providers, and says what it sees.
import { hex, same } from '../lib/bytes.mjs'
import { openBlob } from '../lib/claims.mjs'
import { writeFrame } from '../lib/tables.mjs'

const VERIFIED = 3

export const Answering = Base => class extends Base {
  wantBlob (claim, peer) {
    const digest = hex(claim.digest)
    if (this.blobs.has(digest)) return
    this.wanted.set(digest, claim)
    this.wire.send(peer, 'sync', writeFrame('WantBlobs', { digests: [claim.digest] }))
  }

  /** What was said under our key is all here again: before that we do not know what we answered already. */
  remembers () {
    const { seq } = this.mark.next()
    return seq === 0n || this.feeds.feed(this.name, this.keyset.version).whole >= seq
  }

  /** Is a subject in anybody's latest Manifest? Only of those we speak by ourselves. */
  runsSomewhere (subject) {
    const latest = new Map()
    for (const one of this.countable()) {
      if (one.kind === 4 && (latest.get(one.author)?.seq ?? -1n) < one.seq) latest.set(one.author, one)
    }
    return [...latest.values()].some(one => one.body.subjects.some(each => same(each, subject)))
  }

  answers (subject, threat, claim) {
    return `${hex(subject)}:${threat}:${claim.type}:${hex(claim.id)}`
  }

  /** Verifies others' claims at our own providers and says what we see, once for each (topic, claim). */
  corroborateAll () {
    if (this.verify === null || !this.remembers()) return
    const opinions = this.countable().filter(one => one.kind === 1)
    const mine = opinions.filter(one => one.author === this.name)
    for (const { body } of mine) for (const claim of body.claims) this.answered.add(this.answers(body.subject, body.threat, claim))
    for (const one of opinions.filter(each => each.author !== this.name && each.body.level > 0)) {
      for (const claim of one.body.claims) this.corroborate(one.body, claim)
    }
  }

  corroborate ({ subject, threat }, claim) {
    const raw = this.blobs.get(hex(claim.digest))
    const key = this.answers(subject, threat, claim)
    if (raw === undefined || this.answered.has(key) || !this.runsSomewhere(subject)) return
    this.answered.add(key)
    const inputs = this.refusing(() => openBlob(claim, raw))
    if (inputs === undefined) return
    this.verify(claim, inputs, this.epoch).then(said => {
      this.tell({ event: 'verdict', claim: hex(claim.id), ruling: said.ruling, level: said.level })
      if (said.ruling === 'undecided') this.answered.delete(key)
      if (said.ruling !== 'supports' || !same(said.subject, subject) || said.threat !== threat) return
      this.attest({ subject, threat, level: said.level, basis: VERIFIED, claims: [claim], by_person: false, sources: said.sources })
    }).catch(fault => { this.answered.delete(key); this.tell({ event: 'unread', why: fault.message }) })
  }
}
