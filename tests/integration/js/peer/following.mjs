// A member as one of those who change the network: it follows epochs, proposes and votes. It says nothing in rounds.
import { hex, same } from '../lib/bytes.mjs'
import { governanceOf } from '../lib/counting.mjs'
import { judge } from '../lib/epochs.mjs'
import { codeOf } from '../lib/refusal.mjs'
import { openKeySet } from '../lib/seals.mjs'
import { sealStatement } from '../lib/statements.mjs'
import { writeFrame } from '../lib/tables.mjs'
import { clock, portions } from './portions.mjs'

const EPOCHS_PER_FRAME = 16
const ASK_EPOCHS_AGAIN_MS = 1000
const OPEN_MS = 7n * 86400000n

export const Following = Base => class extends Base {
  /** What follows the epoch in force here, of one who may know. */
  askEpochs (peer) {
    const link = this.peers.get(peer)
    if (link === undefined || Date.now() - (link.askedMs ?? 0) < ASK_EPOCHS_AGAIN_MS) return
    link.askedMs = Date.now()
    this.wire.send(peer, 'sync', writeFrame('WantEpochs', { after: this.epoch.hash }))
  }

  heardOf (hash, peer) {
    if (this.epochs.of(hash) === undefined) this.askEpochs(peer)
  }

  onWantEpochs ({ after }, peer) {
    const raws = this.epochs.following(after)
    if (raws === null) return this.askEpochs(peer)
    for (const portion of portions(raws, EPOCHS_PER_FRAME)) this.wire.send(peer, 'sync', writeFrame('EpochCertificates', { raws: portion }))
  }

  onEpochCertificates ({ raws }, peer) {
    for (const raw of raws) this.refusing(() => this.takeEpoch(raw, peer))
  }

  takeEpoch (raw, peer) {
    const made = this.epochs.take(raw, clock())
    if (made === 'ahead') this.askEpochs(peer)
    if (made.epoch === undefined) return
    this.everybody('sync', writeFrame('EpochCertificates', { raws: [raw] }))
    this.entered(made.committed)
  }

  entered (committed) {
    this.passedOver.clear()
    // what a replaced governance key sealed is none
    for (const [key, one] of this.ring) {
      if (codeOf(() => openKeySet(one.raw, this.network, governanceOf(this.epoch))) !== null) this.ring.delete(key)
    }
    for (const one of [...this.feeds.entries()].filter(each => each.kind === 7)) this.takeStatement(one.body.sealed)
    this.meet()
    if (this.latest(this.name) === null) this.silent = 'no KeySet of ours in this epoch'
    this.tell({ event: 'epoch', number: Number(this.epoch.number), hash: hex(this.epoch.hash), committed })
    this.heartbeat()
    this.sayAgain()
    this.reviewAll()
  }

  /** Our opinions that live on, in the epoch in force, with the since_ms and expires_ms that they had. */
  sayAgain () {
    if (this.silent !== '' || !this.remembers()) return
    const mine = new Map()
    for (const one of this.countable().filter(each => each.kind === 1 && each.author === this.name)) {
      const topic = `${hex(one.body.subject)}:${one.body.threat}`
      if ((mine.get(topic)?.seq ?? -1n) < one.seq) mine.set(topic, one)
    }
    for (const { body } of mine.values()) {
      if (body.level === 0 || body.expires_ms <= clock() || same(body.epoch, this.epoch.hash)) continue
      const { evm_sig: forContracts, ...again } = body
      this.say(1, { ...again, epoch: this.epoch.hash })
    }
  }

  /** By our governance key, which lies here: this is a peer for tests. */
  vote ({ proposal, yes }) {
    const said = { proposal, member: this.name, ballot_no: 0, vote: yes ? 1 : 0, cast_ms: clock(), conflict: '' }
    return this.publish('ballot', said)
  }

  propose ({ kind, change }) {
    const now = clock()
    const said = { parent: this.epoch.hash, author: this.name, opened_ms: now, closes_ms: now + OPEN_MS, kind, change, note: '', consents: [] }
    judge(this.epoch, said, now)
    return this.publish('proposal', said)
  }

  /** The hash of the statement, which goes into our feed. */
  publish (word, said) {
    const { sealed, hash } = sealStatement(this.governance, this.network, word, said)
    this.say(7, { sealed })
    return hash
  }
}
