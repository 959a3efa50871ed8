/** What a writer may want to know before sending. Hints never block. */

const HURRY = /\b(asap|as soon as possible|urgently|right away|quickly)\b/i;
const WHEN =
  /\b\d{1,2}[:.]\d{2}\b|\b\d{1,2}\s?(am|pm|h)\b|\b(today|tonight|tomorrow|monday|tuesday|wednesday|thursday|friday|saturday|sunday|noon|eod)\b|\bby (the )?\d/i;

/**
 * The one hint that helps most, or none. `asked`: names of those whose answer
 * is wanted; `to`: names of those who will read it.
 */
export function hint(text: string, asked: string[], to: string[]): string | null {
  const written = text
    .split('\n')
    .filter((line) => !line.startsWith('>'))
    .join('\n');
  if (HURRY.test(written) && !WHEN.test(written)) {
    return '“As soon as possible” means something else to everybody: say by when.';
  }
  const questions = written.match(/\?(?=\s|$)/g)?.length ?? 0;
  const named = [...asked, ...to].some((name) => written.toLowerCase().includes((name.split(' ')[0] ?? name).toLowerCase()));
  if (questions > 0 && asked.length === 0 && to.length > 1 && !named) {
    return 'You ask a question: say who should answer, and it gets a due.';
  }
  if (questions > 3) return `${questions} questions in one message: a numbered list gets all of them answered.`;
  return null;
}
