// A refusal carries one of the words of the specification's table "Error codes".
export class Refusal extends Error {
  constructor (code, why = '') {
    super(why === '' ? code : `${code}: ${why}`)
    this.code = code
  }
}

export function refuse (code, why) {
  throw new Refusal(code, why)
}

/** A change that may not be: `rule` is the name of the first rule of governance/README.md that it breaks. */
export function obey (holds, rule) {
  if (!holds) throw Object.assign(new Refusal('breaks-rule', rule), { rule })
}

/** The code with which `body` refuses, or null. Every other fault of ours is thrown on. */
export function codeOf (body) {
  try {
    body()
    return null
  } catch (fault) {
    if (fault instanceof Refusal) return fault.code
    throw fault
  }
}

/** [code, rule] of what `body` is refused with; ['', ''] where it is taken. */
export function codeAndRule (body) {
  let rule = ''
  const code = codeOf(() => {
    try {
      return body()
    } catch (fault) {
      rule = fault.rule ?? ''
      throw fault
    }
  })
  return [code ?? '', rule]
}
