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
