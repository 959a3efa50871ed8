/** What an empty list says. */
import type { Status, View } from '../host';
import { count } from '../parts/words';

export interface Nothing {
  title: string;
  text: string;
  sun: boolean;
}

/** The words for an empty list, from how things stand elsewhere. */
export function nothing(view: View, status: Status | undefined): Nothing {
  switch (view) {
    case 'inbox':
      return { title: 'Nothing is due', text: elsewhere(status), sun: true };
    case 'waiting':
      return { title: 'You wait for nobody', text: 'What you asked others shows up here until they answer.', sun: false };
    case 'later':
      return { title: 'Nothing comes back later', text: 'Press H on a conversation to have it back when it suits you.', sun: false };
    case 'done':
      return { title: 'Nothing is done yet', text: 'What you finish with E is kept here and can be found again.', sun: false };
  }
}

function elsewhere(status: Status | undefined): string {
  const { later = 0, waiting = 0 } = status?.counts ?? {};
  const parts = [
    later > 0 && `${count(later, 'thing')} ${later === 1 ? 'comes' : 'come'} back later`,
    waiting > 0 && `${count(waiting, 'answer')} ${waiting === 1 ? 'is' : 'are'} still owed to you`,
  ].filter(Boolean);
  return parts.length > 0 ? `You are clear. ${parts.join(', ')}.` : 'You are clear.';
}
