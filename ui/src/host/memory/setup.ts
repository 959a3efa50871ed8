/** What every test starts from. */
import { beforeEach } from 'vitest';
import { reset } from './index';

beforeEach(() => void reset());
