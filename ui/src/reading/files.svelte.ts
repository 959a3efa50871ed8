/** Files that go with what is being written: copied by the engine at once, kept with the draft. */
import { attachFile, call, toFailure, type AttachedFile, type ItemId } from '../host';
import { MOST_BYTES } from './filekinds';

export class Files {
  list = $state<AttachedFile[]>([]);
  /** What is being copied, by name. */
  coming = $state<string[]>([]);
  wrong = $state('');
  readonly item: ItemId | null;

  constructor(item: ItemId | null, kept: AttachedFile[]) {
    this.item = item;
    this.list = kept;
  }

  /** Something is not copied yet: nothing can be sent without it. */
  get busy(): boolean {
    return this.coming.length > 0;
  }

  /** Copies what was chosen; what can’t be had is said, the others go on. */
  async add(chosen: Iterable<File>): Promise<void> {
    const files = [...chosen];
    const wrong: string[] = [];
    this.wrong = '';
    this.coming.push(...files.map((file) => file.name));
    for (const file of files) {
      try {
        if (file.size > MOST_BYTES) wrong.push(`${file.name} is larger than ${MOST_BYTES >> 20} MiB: share a link to it instead.`);
        else this.list = (await attachFile(this.item, file)).files;
      } catch (thrown) {
        wrong.push(toFailure(thrown).message);
      }
      this.coming.splice(this.coming.indexOf(file.name), 1);
    }
    this.wrong = wrong.join('\n');
  }

  async remove(file: AttachedFile): Promise<void> {
    this.wrong = '';
    try {
      this.list = (await call('detach', { item: this.item, sha256: file.sha256 })).files;
    } catch (thrown) {
      this.wrong = toFailure(thrown).message;
    }
  }

  /** They went with what was sent. */
  sent(): void {
    this.list = [];
    this.wrong = '';
  }

  /** What the engine has. */
  adopt(kept: AttachedFile[]): void {
    if (!this.busy) this.list = kept;
  }
}
