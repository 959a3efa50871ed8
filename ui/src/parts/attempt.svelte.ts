/** One thing at a time that may fail: whether it runs, and what went wrong. */
import { toFailure } from '../host';
import { sentence } from './words';

export class Attempt {
  busy = $state(false);
  wrong = $state('');

  async run(what: () => Promise<unknown>): Promise<void> {
    this.busy = true;
    this.wrong = '';
    try {
      await what();
    } catch (thrown) {
      this.wrong = sentence(toFailure(thrown).message);
    } finally {
      this.busy = false;
    }
  }
}
