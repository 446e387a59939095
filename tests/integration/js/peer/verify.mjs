import { readFileSync } from 'node:fs'
import { hex } from '../lib/bytes.mjs'
import { readCharter } from '../lib/charter.mjs'
import { openCertificate } from '../lib/counting.mjs'
import { subjectText } from '../lib/subjects.mjs'

/** Offline: a charter and the bytes of a certificate, nothing else; says what it proves or refuses. */
export function verify ({ charter: path, certificate }) {
  const { epoch } = readCharter(readFileSync(path, 'utf8'))
  const opened = openCertificate(new Uint8Array(readFileSync(certificate)), epoch)
  console.log(JSON.stringify({
    id: hex(opened.id), digest: hex(opened.digest), subject: subjectText(opened.subject), threat: opened.threat, level: opened.level,
    groups: opened.groups, ends_ms: Number(opened.ends_ms)
  }))
}
