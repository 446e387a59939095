// The golden files of protocol/vectors, every one, read by this implementation.
//   node vectors.mjs DIR      prints what was checked; exit 1 and a line for each difference
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { hex, same, sha256, unhex } from './lib/bytes.mjs'
import { epochHash, founderSignature, founderSigned, identity } from './lib/charter.mjs'
import { JUDGES, TYPES, openBlob } from './lib/claims.mjs'
import { alarm, governanceOf, inBounds, isEquivocation, keyring, openCertificate, SKEW_AHEAD_MS_MAX } from './lib/counting.mjs'
import { read, write } from './lib/dialect.mjs'
import { evaluate, quorum, thresholds } from './lib/formulas.mjs'
import { judge, openEpochCertificate } from './lib/epochs.mjs'
import { Refusal, codeAndRule, codeOf, refuse } from './lib/refusal.mjs'
import { checkSeal, openEntry, openKeySet, publicOf, seal, sealEntry, sealKeySet, signedBytes, tagOfKind } from './lib/seals.mjs'
import { checkStatement, consentHolds, consentPayload, hashOfEpoch, openStatement, openValue, sealStatement, statementKind, statementTag } from './lib/statements.mjs'
import { checkSubject, subjectBytes, subjectText } from './lib/subjects.mjs'
import { BODIES, Certificate, Claim, Entry, KeySet, fromMap, readFrame, toMap, writeFrame } from './lib/tables.mjs'
import { asJson, epochOf, epochsOf, inputsOf, keysetsOf, readings, shownEpoch } from './shown.mjs'

const faults = []
let checks = 0
let file = ''

function equal (what, got, wanted) {
  checks += 1
  if (!isDeepStrictEqual(got, wanted)) faults.push(`${file}: ${what}: got ${show(got)}, wanted ${show(wanted)}`)
}
const show = value => JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? String(v) : v))?.slice(0, 300)

function entry (data) {
  const seed = unhex(data.seed)
  const network = unhex(data.network)
  const opened = openEntry(unhex(data.sealed), network)
  checkSeal(opened, publicOf(seed))
  const { raw, signed, signature, hash, ...value } = opened
  const told = asJson(value)
  const unread = value.body instanceof Map
  if (unread) told.body = { kind: value.kind, fields: told.body }
  equal('value', told, data.entry)
  equal('domain tag', tagOfKind(value.kind), data.domain_tag)
  equal('signed bytes', hex(signed), data.to_be_signed)
  equal('hash', hex(hash), data.hash)
  const again = sealEntry(seed, network, value)
  equal('sealed anew', hex(again.sealed), data.sealed)
  equal('signature', hex(again.signature), data.signature)
  const body = unread ? value.body : toMap(BODIES[value.kind], value.body)
  equal('payload', hex(write(toMap(Entry, { ...value, body }))), data.payload)
}

function keyset (data) {
  const network = unhex(data.network)
  const governance = unhex(data.governance)
  const { raw, hash, ...value } = openKeySet(unhex(data.sealed), network, name => (name === data.keyset.member ? governance : null))
  equal('value', asJson(value), data.keyset)
  equal('payload', hex(write(toMap(KeySet, value))), data.payload)
  const again = sealKeySet(unhex(data.governance_seed), network, value)
  equal('sealed anew', [hex(again.sealed), hex(again.hash)], [data.sealed, data.hash])
}

function charter (data) {
  const given = data.charter
  const bridges = given.bridges.map(one => ({ ...one, asset: unhex(one.asset.raw), escrow: unhex(one.escrow), twin: unhex(one.twin) }))
  const oracles = given.oracles.map(one => ({ ...one, subject: unhex(one.subject.raw), feed: unhex(one.feed), references: one.references.map(unhex) }))
  const members = given.members.map(one => ({ ...one, governance_key: unhex(one.governance_key) }))
  const bytes = write(identity({ ...given, bridges, oracles, members }))
  equal('identity', hex(bytes), data.identity)
  const network = sha256(bytes)
  equal('network', hex(network), data.network)
  equal('epoch', hex(epochHash(network)), data.epoch)
  for (const [member, founder] of Object.entries(data.founders)) {
    equal(`signature of ${member}`, hex(founderSignature(unhex(founder.governance_seed), network)), founder.signature)
    const key = members.find(one => one.name === member).governance_key
    equal(`${member} signed`, founderSigned(key, network, unhex(founder.signature)), true)
  }
}

function charterSignature (data) {
  const network = unhex(data.network)
  equal('signature', hex(founderSignature(unhex(data.governance_seed), network)), data.signature)
  equal('holds', founderSigned(unhex(data.governance), network, unhex(data.signature)), true)
}

function proves (told, opened) {
  equal(`${told.what ?? ''} id`, hex(opened.id), told.id)
  equal(`${told.what ?? ''} digest`, hex(opened.digest), told.digest)
  equal(`${told.what ?? ''} groups`, opened.groups, told.groups)
  equal(`${told.what ?? ''} end`, Number(opened.ends_ms), told.ends_ms)
  equal(`${told.what ?? ''} newest`, Number(opened.newest_issued_ms), told.newest_issued_ms)
  if (told.tlp !== undefined) equal(`${told.what} tlp`, opened.tlp, told.tlp)
}

function certificate (data) {
  const epoch = epochOf(data.epoch)
  proves(data, openCertificate(unhex(data.raw), epoch))
  const value = fromMap(Certificate, read(unhex(data.raw), 196608))
  equal('value', asJson(value), data.certificate)
  equal('written again', hex(write(toMap(Certificate, value))), data.raw)
}

function counted (data) {
  const epochs = epochsOf(data)
  for (const one of data.certificates) {
    const epoch = epochs[one.epoch]
    proves(one, openCertificate(unhex(one.raw), epoch, keysetsOf(one.keysets, epoch)))
  }
}

function refusedCertificates (data) {
  const epochs = epochsOf(data)
  for (const one of data.refused) {
    const epoch = epochs[one.epoch]
    equal(one.what, codeOf(() => openCertificate(unhex(one.raw), epoch, keysetsOf(one.keysets, epoch))), one.code)
  }
}

function alarms (data) {
  const epochs = epochsOf(data)
  for (const one of data.alarms) {
    const epoch = epochs[one.epoch]
    const entries = one.entries.map(raw => openEntry(unhex(raw), epoch.network))
    for (const order of [entries, [...entries].reverse()]) {
      const { level, opinions } = alarm(epoch, order, unhex(data.subject), data.threat, BigInt(one.now_ms))
      const groups = [...new Set(opinions.map(each => epoch.byName.get(each.author).group))].sort()
      equal(one.what, { level, groups }, { level: one.level, groups: one.groups })
    }
  }
}

function claim (data) {
  const given = { type: data.claim.type, id: unhex(data.claim.id), digest: unhex(data.claim.digest) }
  const inputs = openBlob(given, unhex(data.blob))
  equal('inputs', inputs, inputsOf(given.type, data.inputs))
  equal('blob', hex(write([given.type, toMap(TYPES[given.type][0], inputs)])), data.blob)
  equal('claim', asJson(fromMap(Claim, toMap(Claim, given))), data.claim)
}

function verdicts (data) {
  const rows = { bridge: { asset: unhex(data.bridge.asset.raw) }, oracle: { subject: unhex(data.oracle.subject.raw) } }
  for (const one of data.verdicts) {
    const row = one.registered ? rows[one.type === 'evm-oracle-deviation' ? 'oracle' : 'bridge'] : null
    const said = JUDGES[one.type](inputsOf(one.type, one.inputs), readings(one.type, one.read), row)
    if (said.subject !== undefined) said.subject = hex(said.subject)
    equal(one.what, said, one.verdict)
  }
}

function equivocation (data) {
  const opened = Object.fromEntries(Object.entries(data.entries).map(([word, one]) => {
    const found = openEntry(unhex(one.sealed), unhex(data.network))
    checkSeal(found, unhex(data.key))
    equal(word, hex(found.hash), one.hash)
    return [word, found]
  }))
  const pair = words => isEquivocation(opened[words[0]], opened[words.at(-1)])
  for (const words of data.proofs) equal(`${words} is a proof`, pair(words), true)
  for (const words of data.no_proofs) equal(`${words} is none`, pair(words), false)
  for (const [value, hash] of Object.entries(data.value_hashes ?? {})) {
    equal(`value hash of ${value}`, hex(sha256(write(['tocsin/1/value', unhex(value)]))), hash)
  }
  if (data.head_of_first_and_rival === undefined) return
  const lower = [opened.first.hash, opened.rival.hash].sort(Buffer.compare)[0]
  equal('head', hex(lower), data.head_of_first_and_rival)
}

function frame (data) {
  const [word, fields] = readFrame(unhex(data.raw))
  equal('value', asJson(fields), data.frame)
  equal('written again', hex(writeFrame(word, fields)), data.raw)
}

function each (data, open) {
  for (const one of data.sound ?? []) equal(`sound: ${one.what ?? one.formula}`, codeOf(() => open(one)), null)
  for (const one of data.refused ?? []) equal(`refused: ${one.what}`, codeOf(() => open(one)), one.code)
}

function arrivals (data) {
  const epoch = epochOf(data.epoch)
  const held = keysetsOf(data.keysets, epoch)
  for (const one of data.arrivals) equal(one.what, arriving(epoch, held, BigInt(data.now_ms), unhex(one.frame)), one.codes)
}

/** The codes that a member which holds these KeySets answers a frame with, in order ("Order of work"). */
function arriving (epoch, held, now, raw) {
  const codes = []
  const note = body => { const code = codeOf(body); if (code !== null) codes.push(code) }
  note(() => {
    const [word, fields] = readFrame(raw)
    if (word === 'Hello' && !same(fields.network, epoch.network)) refuse('foreign-network')
    for (const one of word === 'Entries' ? fields.raws : []) note(() => arrivingEntry(epoch, keyring(held), now, one))
    for (const one of word === 'KeySets' || word === 'Hello' ? fields.raws ?? fields.keysets : []) {
      note(() => {
        const keyset = openKeySet(one, epoch.network, governanceOf(epoch))
        const versions = new Set(held.filter(each => each.member === keyset.member).map(each => each.version))
        if (!versions.has(keyset.version) && versions.size >= 16) refuse('author-over-budget')
        held = [...held, keyset]
      })
    }
    if (word === 'CertificateFrame') openCertificate(fields.raw, epoch, held)
  })
  return codes
}

function arrivingEntry (epoch, ring, now, raw) {
  const entry = openEntry(raw, epoch.network)
  if (!epoch.byName.has(entry.author)) refuse('unknown-author')
  const keyset = ring.get(`${entry.author}/${entry.key_version}`)
  if (keyset === undefined) refuse('unknown-key')
  if (entry.issued_ms > keyset.expires_ms) refuse('bad-key')
  checkSeal(entry, keyset.attestation)
  if (entry.kind === 1 && !inBounds(epoch, entry)) refuse('lease-too-long')
  if (entry.kind === 1 && entry.issued_ms > now + SKEW_AHEAD_MS_MAX) refuse('from-the-future')
}

function statements (data) {
  const network = unhex(data.network)
  for (const [word, list] of [['proposal', data.proposals], ['ballot', data.ballots]]) {
    for (const one of list) {
      const opened = openStatement(word, unhex(one.sealed), network)
      checkStatement(opened, publicOf(unhex(one.governance_seed)))
      equal(`${one.what} kind`, [statementKind(unhex(one.sealed)), statementTag(word)], [word, one.domain_tag])
      equal(one.what, asJson(opened.said), one.value)
      equal(`${one.what} bytes`, [opened.payload, opened.signed, opened.hash].map(hex), [one.payload, one.to_be_signed, one.hash])
      equal(`${one.what} sealed anew`, hex(sealStatement(unhex(one.governance_seed), network, word, opened.said).sealed), one.sealed)
    }
  }
  for (const one of data.consents) {
    const change = changeOf(one.change)
    equal(`consent: ${one.what}`, hex(consentPayload(unhex(one.parent), one.kind, change)), one.payload)
    const given = { key: unhex(one.key), signature: unhex(one.signature) }
    equal(`consent holds: ${one.what}`, consentHolds(network, { parent: unhex(one.parent), kind: one.kind, change }, given), true)
  }
  for (const one of data.values) {
    const { hash, ...value } = openValue(unhex(one.raw))
    equal(one.what, asJson(value), one.value)
    equal(`${one.what} hashes`, [hex(hash), hex(hashOfEpoch(network, { ...value, hash }))], [one.hash, one.epoch])
  }
}

const changeOf = told => Object.fromEntries(Object.entries(told).map(([field, one]) => [field, field === 'key' ? unhex(one) : one]))

function refusedStatements (data) {
  each(data, one => {
    if (one.kind === 'value') return openValue(unhex(one.raw))
    return checkStatement(openStatement(one.kind, unhex(one.raw), unhex(data.network)), unhex(data.keys[one.kind]))
  })
}

/** Sound ones, and refused ones by code and rule. */
function ruled (data, open) {
  const epochs = epochsOf(data)
  for (const one of data.sound ?? []) equal(`sound: ${one.what}`, codeAndRule(() => open(one, epochs[one.epoch])), ['', ''])
  for (const one of data.refused) equal(`refused: ${one.what}`, codeAndRule(() => open(one, epochs[one.epoch])), [one.code, one.rule ?? ''])
}

const refusedProposals = data =>
  ruled(data, (one, epoch) => judge(epoch, openStatement('proposal', unhex(one.raw), epoch.network).said, BigInt(data.now_ms)))

function epochCertificates (data) {
  const epochs = epochsOf(data)
  for (const one of data.certificates) {
    const opened = openEpochCertificate(unhex(one.raw), epochs[one.epoch])
    equal(one.what, [opened.committed, shownEpoch(opened.epoch)], [one.committed, one.next])
  }
}

function thresholdRows (data) {
  const formulas = { 2: data.formulas.guard, 3: data.formulas.isolate, 4: data.formulas.halt }
  for (const one of data.rows) {
    const { n, f, Q } = quorum(one.n)
    const needed = thresholds(n, formulas)
    equal(`n = ${n}`, { n, f, q: Q, guard: needed[2], isolate: needed[3], halt: needed[4] }, one)
  }
}

function onchain (data) {
  for (const one of data.words) {
    const entry = openEntry(unhex(one.sealed), unhex(data.network))
    const body = read(read(unhex(one.sealed), 1 << 14)[2], 1 << 14).get(7)
    body.delete(14)
    const told = { body_hash: hex(sha256(write(body))), subject_key: hex(sha256(body.get(2))) }
    told.author = Buffer.from(entry.author).toString('hex').padEnd(64, '0')
    told.submit_by_ms = Math.min(Number(entry.issued_ms) + 600000, Number(entry.body.expires_ms))
    equal(one.what, told, one.told)
  }
}

const READERS = [
  [/^entry-/, entry], [/^keyset/, keyset], [/^charter$/, charter], [/^charter-signature$/, charterSignature],
  [/^certificates-counted/, counted], [/^certificate-/, certificate], [/^alarms$/, alarms], [/^claim-/, claim],
  [/^verdicts$/, verdicts], [/^equivocation/, equivocation], [/^frame-/, frame], [/^thresholds$/, thresholdRows], [/^onchain$/, onchain],
  [/^subjects$/, data => {
    for (const one of data.subjects) {
      equal(one.text, [hex(subjectBytes(one.text)), subjectText(unhex(one.raw))], [one.raw, one.text])
    }
  }],
  [/^refused$/, data => each({ refused: data.cbor }, one => read(unhex(one.raw), 1 << 20))],
  [/^refused-subjects$/, data => each(data, one => checkSubject(unhex(one.raw)))],
  [/^refused-frames$/, data => each(data, one => readFrame(unhex(one.raw)))],
  [/^refused-entries$/, data => each(data, one => checkSeal(openEntry(unhex(one.raw), unhex(data.network)), unhex(data.key)))],
  [/^refused-keysets$/, data => each(data, one => openKeySet(unhex(one.raw), unhex(data.network), name => (name === data.member ? unhex(data.governance) : null)))],
  [/^refused-claims$/, data => each(data, one => openBlob({ type: one.claim.type, id: unhex(one.claim.id), digest: unhex(one.claim.digest) }, unhex(one.blob)))],
  [/^refused-certificates$/, refusedCertificates], [/^refused-arrivals$/, arrivals],
  [/^statements$/, statements], [/^refused-statements$/, refusedStatements], [/^refused-proposals$/, refusedProposals],
  [/^epoch-certificates/, epochCertificates],
  [/^refused-epoch-certificates/, data => ruled(data, (one, epoch) => openEpochCertificate(unhex(one.raw), epoch))],
  [/^refused-formulas$/, data => {
    each({ refused: data.refused }, one => evaluate(one.formula, quorum(7)))
    for (const one of data.sound) equal(one.formula, evaluate(one.formula, quorum(one.n)), one.value)
  }]
]

const folder = process.argv[2]
const names = readdirSync(folder).filter(one => one.endsWith('.json')).sort()
for (const each of names) {
  file = each.replace(/\.json$/, '')
  const reader = READERS.find(([pattern]) => pattern.test(file))
  if (reader === undefined) {
    faults.push(`${file}: no reader for this file`)
    continue
  }
  try {
    reader[1](JSON.parse(readFileSync(join(folder, each), 'utf8')))
  } catch (fault) {
    faults.push(`${file}: ${fault instanceof Refusal ? `refused as ${fault.message}` : fault.stack}`)
  }
}
for (const fault of faults) console.error(fault)
console.log(JSON.stringify({ files: names.length, checks, faults: faults.length }))
process.exit(faults.length === 0 && names.length > 0 ? 0 : 1)
