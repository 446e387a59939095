// One member: takes what arrives ("Order of work"), keeps up with the others ("The exchange"), counts, and speaks.
import { hex, same, sha256 } from '../lib/bytes.mjs'
import {
  alarm, assemble, certificateId, effectiveLevel, governanceOf, inBounds, isLater, lacks, leaseBound, openCertificate, parseCertificate,
  SKEW_AHEAD_MS_MAX
} from '../lib/counting.mjs'
import { Refusal, codeOf, refuse } from '../lib/refusal.mjs'
import { checkSeal, openEntry, openKeySet, sealEntry } from '../lib/seals.mjs'
import { statementKind } from '../lib/statements.mjs'
import { readFrame, writeFrame } from '../lib/tables.mjs'
import { Answering } from './answering.mjs'
import { Epochs } from './epochs.mjs'
import { Feeds } from './feeds.mjs'
import { Following } from './following.mjs'
import { clock, portions } from './portions.mjs'

const VERSION = 1
const HEARTBEAT_MS = 60000
const HEADS_MS = [1000, 5000]
const PUSH_AFTER_MS = 2000
const WANT_MOST = 256
const PER_FRAME = 64
const KEYSETS_PER_MEMBER_MAX = 16
const SHOWN_MOST = 256
const OBSERVED = 2
const GREEN = 1

export class Member extends Answering(Following(Object)) {
  /** mark: {next(), take(seq, hash)}, durable. tell(event): what its owner hears. verify(claim, inputs): a ruling. */
  constructor ({ name, seed, governance, charter, mark, tell, verify }) {
    super()
    Object.assign(this, { name, seed, governance, mark, tell, verify, network: charter.network })
    this.epochs = new Epochs(charter.epoch)
    this.contacts = new Map(charter.contacts.map(one => [one.member, one.addresses]))
    this.passedOver = new Set()
    this.points = new Map()
    this.ring = new Map()
    this.feeds = new Feeds()
    this.blobs = new Map()
    this.wanted = new Map()
    this.certificates = new Map()
    this.peers = new Map()
    this.refused = {}
    this.frames = { entries: 0, sync: 0, gossip: 0 }
    this.levels = new Map()
    this.answered = new Set()
    this.firstNewest = new Map()
    this.manifested = false
    this.differs = false
    this.silent = ''
    for (const raw of charter.keysets) this.takeKeySet(raw)
    this.keyset = this.latest(name)
  }

  /** The wire takes those connections that the newest KeySets name. */
  meet () {
    for (const { name } of this.epoch.members.filter(one => one.name !== this.name)) {
      for (const peer of this.latest(name)?.transport ?? []) this.wire?.meet(peer, this.contacts.get(name) ?? [])
    }
  }

  get epoch () {
    return this.epochs.current
  }

  latest (member) {
    return [...this.ring.values()].filter(one => one.member === member).reduce((a, b) => (a === null || b.version > a.version ? b : a), null)
  }

  memberOf (peer) {
    return this.epoch.members.find(one => this.latest(one.name)?.transport.includes(peer))?.name ?? null
  }

  // ---- what arrives

  up (peer) {
    this.peers.set(peer, { member: this.memberOf(peer), shown: new Set() })
    this.tell({ event: 'up', member: this.memberOf(peer) })
    this.hello(peer)
    this.wire.send(peer, 'sync', this.headsFrame())
    this.askEpochs(peer)
  }

  down (peer, why) {
    this.peers.delete(peer)
    this.tell({ event: 'down', member: this.memberOf(peer), why })
  }

  hello (peer) {
    const keysets = [...this.ring.values()].map(one => one.raw).slice(0, 256)
    this.wire.send(peer, 'sync', writeFrame('Hello', { network: this.network, version: VERSION, keysets }))
  }

  refusing (body) {
    try {
      return body()
    } catch (fault) {
      if (!(fault instanceof Refusal)) throw fault
      this.refused[fault.code] = (this.refused[fault.code] ?? 0) + 1
      this.tell({ event: 'refused', code: fault.code, why: fault.message })
      return undefined
    }
  }

  frame (peer, channel, raw) {
    this.frames[channel] += 1
    this.refusing(() => {
      const [word, fields] = readFrame(raw)
      if (this.peers.has(peer) || channel === 'gossip') this[`on${word}`](fields, peer)
    })
  }

  onHello ({ network, keysets }, peer) {
    if (!same(network, this.network)) refuse('foreign-network')
    this.onKeySets({ raws: keysets })
    const theirs = new Set(keysets.map(hex))
    const lacking = [...this.ring.values()].map(one => one.raw).filter(one => !theirs.has(hex(one)))
    for (const raws of portions(lacking)) this.wire.send(peer, 'sync', writeFrame('KeySets', { raws }))
  }

  onKeySets ({ raws }) {
    for (const raw of raws) this.refusing(() => this.takeKeySet(raw))
    this.meet()
  }

  takeKeySet (raw) {
    const keyset = openKeySet(raw, this.network, governanceOf(this.epoch))
    const key = `${keyset.member}/${keyset.version}`
    const held = this.ring.get(key)
    const versions = [...this.ring.values()].filter(one => one.member === keyset.member).length
    if (held === undefined && versions >= KEYSETS_PER_MEMBER_MAX) refuse('author-over-budget')
    if (held === undefined || Buffer.compare(keyset.hash, held.hash) < 0) this.ring.set(key, keyset)
  }

  onEntries ({ raws }, peer) {
    const touched = new Map()
    for (const raw of raws) {
      const entry = this.refusing(() => this.takeEntry(raw))
      if (entry?.kind === 1 || entry?.kind === 2) touched.set(`${hex(entry.body.subject)}:${entry.body.threat}`, entry.body)
      if (entry?.kind === 1) for (const claim of entry.body.claims) this.wantBlob(claim, peer)
      if (entry?.body.epoch !== undefined) this.heardOf(entry.body.epoch, peer)
    }
    for (const { subject, threat } of touched.values()) this.review(subject, threat)
    this.corroborateAll()
  }

  /** The entry where it is new; null where it was seen before. */
  takeEntry (raw) {
    const entry = openEntry(raw, this.network)
    if (this.feeds.has(entry.hash)) return null
    if (!this.epoch.byName.has(entry.author)) refuse('unknown-author', entry.author)
    const keyset = this.ring.get(`${entry.author}/${entry.key_version}`)
    if (keyset === undefined) refuse('unknown-key', entry.author)
    if (entry.issued_ms > keyset.expires_ms) refuse('bad-key')
    checkSeal(entry, keyset.attestation)
    const how = this.feeds.add(entry)
    if (how === 'rival') this.tell({ event: 'equivocation', author: entry.author, seq: Number(entry.seq) })
    if (entry.author === this.name && entry.seq >= this.mark.next().seq) this.silent = 'somebody speaks with our key'
    if (entry.kind === 1 && entry.author === this.name) {
      const { since_ms: since, expires_ms: expires } = entry.body
      this.tell({ event: 'opinion', hash: hex(entry.hash), since_ms: Number(since), expires_ms: Number(expires) })
    }
    this.tell({ event: 'entry', author: entry.author, seq: Number(entry.seq), kind: entry.kind, hash: hex(entry.hash) })
    if (entry.kind === 7) this.takeStatement(entry.body.sealed)
    if (entry.kind === 1) this.refusing(() => {
      if (!inBounds(this.epoch, entry)) refuse('lease-too-long')
      if (entry.issued_ms > clock() + SKEW_AHEAD_MS_MAX) refuse('from-the-future')
    })
    return entry
  }

  /** Proposals and ballots are carried: who orders reads them out of the feeds. A KeySet may be of who is yet to join. */
  takeStatement (sealed) {
    this.refusing(() => { if (statementKind(sealed) === 'keyset' && codeOf(() => this.takeKeySet(sealed)) === null) this.meet() })
  }

  onHeads ({ heads, shown }, peer) {
    this.differs = false
    for (const head of heads) {
      if (!this.epoch.byName.has(head.author)) continue
      if (!this.ring.has(`${head.author}/${head.key_version}`)) {
        this.hello(peer)
        continue
      }
      const lack = this.feeds.lack(head, WANT_MOST)
      if (lack === null) continue
      this.differs = true
      const want = { author: head.author, key_version: head.key_version, from_seq: lack[0], to_seq: lack[1] }
      this.wire.send(peer, 'sync', writeFrame('WantEntries', want))
    }
    this.onShown({ ids: shown }, peer)
    this.heardHeads = true
    const ids = shown.filter(id => !this.certificates.has(hex(id)) && !this.passedOver.has(hex(id))).slice(0, PER_FRAME)
    if (ids.length > 0) this.wire.send(peer, 'sync', writeFrame('WantCertificates', { ids }))
  }

  onWantEntries ({ author, key_version: version, from_seq: from, to_seq: to }, peer) {
    for (const raws of portions(this.feeds.range(author, version, from, to, WANT_MOST))) {
      this.wire.send(peer, 'sync', writeFrame('Entries', { raws }))
    }
  }

  onWantBlobs ({ digests }, peer) {
    const raws = digests.map(one => this.blobs.get(hex(one))).filter(one => one !== undefined)
    for (const portion of portions(raws)) this.wire.send(peer, 'sync', writeFrame('Blobs', { raws: portion }))
  }

  onWantCertificates ({ ids }, peer) {
    for (const id of ids) {
      const held = this.certificates.get(hex(id))
      if (held !== undefined) this.wire.send(peer, 'sync', writeFrame('CertificateFrame', { raw: held.raw }))
    }
  }

  onBlobs ({ raws }) {
    for (const raw of raws) {
      const digest = hex(sha256(raw))
      this.blobs.set(digest, raw)
      this.wanted.delete(digest)
    }
    this.corroborateAll()
  }

  onShown ({ ids }, peer) {
    for (const id of ids) this.peers.get(peer)?.shown.add(hex(id))
  }

  onCertificateFrame ({ raw }, peer) {
    const named = parseCertificate(raw)
    const epoch = this.epochs.of(named.epoch)
    if (epoch === undefined) {
      this.passedOver.add(hex(certificateId(named)))
      this.heardOf(named.epoch, peer)
      refuse('wrong-epoch')
    }
    const opened = openCertificate(raw, epoch, [...this.ring.values()])
    this.peers.get(peer)?.shown.add(hex(opened.id))
    if (this.standing(opened.id) || opened.ends_ms <= clock()) return
    for (const one of opened.opinions) {
      if (one.issued_ms > clock() + SKEW_AHEAD_MS_MAX) refuse('from-the-future')
    }
    for (const one of opened.opinions) if (this.epoch.byName.has(one.author)) this.takeEntry(one.raw)
    // what a signer said since, in whichever epoch, counts instead
    const about = this.countable().filter(one => one.kind === 1 && same(one.body.subject, opened.subject) && one.body.threat === opened.threat)
    const latest = opened.opinions.map(signed => about.reduce((one, each) => each.author === one.author && isLater(each, one) ? each : one, signed))
    const counting = latest.filter(one => effectiveLevel(one) >= opened.level && one.body.expires_ms > clock() && inBounds(epoch, one))
    if (lacks(epoch, opened.level, counting) === null) this.accept(opened, 'received')
  }

  // ---- counting

  /** A certificate of this id that still runs is held. */
  standing (id) {
    const held = this.certificates.get(hex(id))
    return held !== undefined && held.ends_ms > clock()
  }

  reviewAll () {
    for (const { subject, threat } of this.levels.values()) this.review(subject, threat)
  }

  countable () {
    return [...this.feeds.entries()].filter(one => one.key_version === this.latest(one.author)?.version)
  }

  review (subject, threat) {
    const topic = `${hex(subject)}:${threat}`
    const { level, opinions, point } = alarm(this.epoch, this.countable(), subject, threat, clock(), this.points.get(topic))
    this.points.set(topic, point)
    if ((this.levels.get(topic)?.level ?? 0) !== level) this.tell({ event: 'level', subject: hex(subject), threat, level })
    this.levels.set(topic, { level, subject, threat })
    if (level < 2) return
    const keysets = opinions.map(one => this.ring.get(`${one.author}/${one.key_version}`))
    const opened = openCertificate(assemble(this.epoch, subject, threat, level, opinions, keysets), this.epoch)
    if (!this.standing(opened.id)) this.accept(opened, 'assembled')
  }

  accept (opened, how) {
    const id = hex(opened.id)
    this.certificates.set(id, opened)
    const topic = `${hex(opened.subject)}:${opened.threat}`
    if (!this.firstNewest.has(topic)) this.firstNewest.set(topic, opened.newest_issued_ms)
    this.tell({ event: 'certificate', how, id, level: opened.level, groups: opened.groups, authors: opened.opinions.map(one => one.author) })
    this.everybody('entries', writeFrame('Shown', { ids: [opened.id] }))
    setTimeout(() => this.push(opened), PUSH_AFTER_MS)
    this.review(opened.subject, opened.threat)
  }

  /** To those peers that have not shown it; by gossip too where somebody is out of our own reach. */
  push (opened) {
    const raw = writeFrame('CertificateFrame', { raw: opened.raw })
    for (const [peer, { shown }] of this.peers) {
      if (!shown.has(hex(opened.id))) this.wire.send(peer, 'sync', raw)
    }
    if (opened.tlp <= GREEN && this.peers.size + 1 < this.epoch.members.length) this.wire.gossip(raw)
  }

  // ---- what we say

  everybody (channel, raw) {
    for (const peer of this.peers.keys()) this.wire.send(peer, channel, raw)
  }

  say (kind, body, later) {
    if (this.silent !== '') throw new Error(`silent: ${this.silent}`)
    const { seq, prev } = this.mark.next()
    const fields = { author: this.name, key_version: this.keyset.version, seq, prev, issued_ms: clock(), kind, body }
    const { sealed, hash } = sealEntry(this.seed, this.network, fields, later)
    this.mark.take(seq, hash)
    this.everybody('entries', writeFrame('Entries', { raws: [sealed] }))
    const entry = this.refusing(() => this.takeEntry(sealed)) ?? { raw: sealed, hash }
    if (kind === 1 || kind === 2) this.review(body.subject, body.threat)
    return entry
  }

  heartbeat () {
    if (this.silent !== '' || !this.heardHeads) return
    this.say(5, { epoch: this.epoch.hash })
    const subjects = [...this.epoch.bridges.map(one => one.asset), ...this.epoch.oracles.map(one => one.subject)]
    if (!this.manifested && subjects.length > 0) this.say(4, { subjects })
    this.manifested = true
  }

  attest ({ subject, threat, level, basis = OBSERVED, claims = [], by_person: byPerson = true, sources, later }) {
    const own = this.epoch.sources.filter(one => one.operator === this.name).map(one => one.id).slice(0, 4)
    const since = clock()
    const topic = `${hex(subject)}:${threat}`
    const lease = leaseBound(this.epoch, level)
    // after a certificate what no person says ends no later than the first such certificate's lease
    const first = byPerson ? undefined : this.firstNewest.get(topic)
    const expires = first === undefined || since < first ? since + lease : first + lease
    return this.say(1, {
      epoch: this.epoch.hash, subject, threat, level, basis, claims, sources: sources ?? own, detector: 'foreign-peer', incident: '',
      since_ms: since, expires_ms: expires, by_person: byPerson, tlp: GREEN
    }, later)
  }

  release ({ subject, threat }) {
    return this.say(2, { epoch: this.epoch.hash, subject, threat, through_ms: clock(), claims: [] })
  }

  /** What nobody may do: two entries of one seq, one to the first peer and one to the others. */
  fork () {
    const { seq, prev } = this.mark.next()
    const fields = { author: this.name, key_version: this.keyset.version, seq, prev, issued_ms: clock(), kind: 6 }
    const sides = ['this', 'that'].map(text => sealEntry(this.seed, this.network, { ...fields, body: { text, tlp: GREEN } }))
    this.mark.take(seq, sides[0].hash)
    for (const [at, peer] of [...this.peers.keys()].entries()) {
      this.wire.send(peer, 'entries', writeFrame('Entries', { raws: [sides[at === 0 ? 0 : 1].sealed] }))
    }
    return { raw: sides[0].sealed, hash: sides[0].hash }
  }

  headsFrame () {
    const now = clock()
    const shown = [...this.certificates.values()].filter(one => one.ends_ms > now).map(one => one.id).slice(-SHOWN_MOST)
    return writeFrame('Heads', { heads: this.feeds.heads().slice(0, 512), shown })
  }

  run (wire) {
    this.wire = wire
    const beat = () => { this.heartbeat(); this.beating = setTimeout(beat, this.heardHeads ? HEARTBEAT_MS : 200) }
    const heads = () => {
      this.sayAgain()
      this.reviewAll()
      this.everybody('sync', this.headsFrame())
      const busy = this.differs || [...this.levels.values()].some(one => one.level > 0)
      this.showing = setTimeout(heads, HEADS_MS[busy ? 0 : 1] * (0.8 + 0.4 * Math.random()))
    }
    beat()
    heads()
  }

  stop () {
    clearTimeout(this.beating)
    clearTimeout(this.showing)
  }

  state () {
    const feeds = this.feeds.heads().map(one => ({ author: one.author, key_version: Number(one.key_version), whole: Number(one.whole), seq: Number(one.seq), hash: hex(one.hash) }))
    return {
      event: 'state',
      epoch: { number: Number(this.epoch.number), hash: hex(this.epoch.hash), suspended: this.epoch.members.filter(one => one.suspended).map(one => one.name) },
      up: [...this.peers.values()].map(one => one.member).sort(),
      feeds,
      levels: [...this.levels.values()].map(one => ({ subject: hex(one.subject), threat: one.threat, level: one.level })),
      certificates: [...this.certificates.entries()].map(([id, one]) => ({ id, epoch: Number(this.epochs.of(one.epoch).number), level: one.level, groups: one.groups, authors: one.opinions.map(each => each.author), raw: hex(one.raw) })),
      next_seq: Number(this.mark.next().seq),
      silent: this.silent,
      frames: this.frames,
      gossips: this.wire.gossiping(),
      refused: this.refused
    }
  }
}
