/** SMILES, molecules as strings (Weininger 1988; the OpenSMILES specification): text ↔ tokens. */
import { DataError } from '../tensor/errors.ts'
import { requireText } from './guards.ts'

/**
 * One token: an atom in brackets; an atom of the organic subset, two letters before one; an aromatic one; "*"; a bond; a
 * branch's parenthesis; a ring closure, one digit or "%" and two; "." between parts and ">" of reactions.
 */
const TOKEN = /\[[^[\]]+\]|Cl|Br|[BCNOPSFI]|[bcnops]|%\d\d|\d|[-=#$:/\\().*>]/y

/**
 * The tokens of a SMILES string, which together are the string: `tokenizeSmiles(text).join('') === text`. Nothing is judged
 * but that it consists of tokens; whether rings close and valences hold is for a chemistry library to say.
 *
 *     tokenizeSmiles('C[C@H](Cl)C%12')              // 'C', '[C@H]', '(', 'Cl', ')', 'C', '%12'
 *
 * `WordVocabulary.of(tokens)` makes ids of them.
 *
 * @throws {DataError} at the first character that begins no token; names its place
 */
export function tokenizeSmiles(text: string): string[] {
  requireText('tokenizeSmiles', text)
  const tokens: string[] = []
  for (let at = 0; at < text.length; ) {
    TOKEN.lastIndex = at
    const token = TOKEN.exec(text)?.[0]
    if (token === undefined) {
      const character = String.fromCodePoint(text.codePointAt(at)!)
      const advice = { '[': 'The bracket is empty or not closed.', '%': 'Two digits must follow.' }[character]
      throw new DataError(
        `tokenizeSmiles: ${JSON.stringify(character)} at ${at} begins no token of SMILES. ` +
          (advice ?? 'Atoms other than B, C, N, O, P, S, F, Cl, Br, I stand in brackets.'),
      )
    }
    tokens.push(token)
    at += token.length
  }
  return tokens
}
