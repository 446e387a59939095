// What this implementation says of bytes and of small networks: one case a line in, one answer a line out.
import { createInterface } from 'node:readline'
import { hex, unhex } from './lib/bytes.mjs'
import { readCharter } from './lib/charter.mjs'
import { JUDGES, openBlob } from './lib/claims.mjs'
import { alarm, CERTIFICATE_BYTES_MAX, openCertificate } from './lib/counting.mjs'
import { read } from './lib/dialect.mjs'
import { openEpochCertificate, parseEpochCertificate } from './lib/epochs.mjs'
import { Refusal, codeAndRule } from './lib/refusal.mjs'
import { checkSeal, openEntry, openKeySet } from './lib/seals.mjs'
import { openStatement, openValue } from './lib/statements.mjs'
import { checkSubject } from './lib/subjects.mjs'
import { Certificate, FRAME_BYTES_MAX, fromMap, readFrame } from './lib/tables.mjs'
import { epochOf, inputsOf, readings, shownEpoch } from './shown.mjs'

const groupsOf = (epoch, opinions) => [...new Set(opinions.map(one => epoch.byName.get(one.author).group))].sort()

const DOORS = {
  codec: one => read(unhex(one.raw), FRAME_BYTES_MAX),
  'entry, its seal unseen': one => openEntry(unhex(one.raw), unhex(one.network)),
  entry: one => checkSeal(openEntry(unhex(one.raw), unhex(one.network)), unhex(one.key)),
  KeySet: one => openKeySet(unhex(one.raw), unhex(one.network), name => (name === one.member ? unhex(one.key) : null)),
  certificate: one => fromMap(Certificate, read(unhex(one.raw), CERTIFICATE_BYTES_MAX)),
  claim: one => openBlob({ type: one.claim.type, id: unhex(one.claim.id), digest: unhex(one.claim.digest) }, unhex(one.raw)),
  frame: one => readFrame(unhex(one.raw)),
  proposal: one => openStatement('proposal', unhex(one.raw), unhex(one.network)),
  ballot: one => openStatement('ballot', unhex(one.raw), unhex(one.network)),
  value: one => openValue(unhex(one.raw)),
  'epoch certificate': one => parseEpochCertificate(unhex(one.raw)),
  subject: one => checkSubject(unhex(one.raw))
}

const QUESTIONS = {
  door: one => { DOORS[one.door](one); return '' },
  alarm: one => {
    const epoch = epochOf(one.epoch)
    const entries = one.entries.map(raw => openEntry(unhex(raw), epoch.network))
    const { level, opinions } = alarm(epoch, entries.filter(each => epoch.byName.has(each.author)), unhex(one.subject), one.threat, BigInt(one.now_ms))
    return [level, groupsOf(epoch, opinions)]
  },
  proof: one => {
    const opened = openCertificate(unhex(one.raw), epochOf(one.epoch))
    return {
      id: hex(opened.id), digest: hex(opened.digest), groups: opened.groups, ends_ms: Number(opened.ends_ms),
      newest_issued_ms: Number(opened.newest_issued_ms), tlp: opened.tlp
    }
  },
  'next epoch': one => {
    let made
    const refused = codeAndRule(() => { made = openEpochCertificate(unhex(one.raw), epochOf(one.epoch)) })
    return refused[0] === '' ? [made.committed, shownEpoch(made.epoch)] : refused
  },
  charter: one => {
    const { network, epoch } = readCharter(one.text)
    return { network: hex(network), epoch: hex(epoch.hash), needed: [2, 3, 4].map(level => epoch.needed[level]) }
  },
  ruling: one => {
    const row = one.registered ? { asset: unhex(one.subject), subject: unhex(one.subject) } : null
    const said = JUDGES[one.type](inputsOf(one.type, one.inputs), readings(one.type, one.read), row)
    return said.subject === undefined ? said : { ...said, subject: hex(said.subject) }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const one = JSON.parse(line)
  let answer
  try {
    answer = QUESTIONS[one.ask](one)
  } catch (fault) {
    if (!(fault instanceof Refusal)) throw fault
    answer = fault.code
  }
  process.stdout.write(JSON.stringify(answer) + '\n')
}
