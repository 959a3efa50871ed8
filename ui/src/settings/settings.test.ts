// @vitest-environment happy-dom
import { fireEvent, render, screen } from '@testing-library/svelte';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { reset } from '../host/memory';
import '../host/memory/document';
import { eventually } from '../host/memory/eventually';
import type { Memory } from '../host/memory/host';
import { me } from '../parts/me.svelte';
import { where } from '../parts/view.svelte';
import AccountLine from './AccountLine.svelte';
import AddMailbox from './AddMailbox.svelte';
import Devices from './Devices.svelte';
import IntervalForm from './IntervalForm.svelte';
import JoinTeam from './JoinTeam.svelte';
import Members from './Members.svelte';
import Password from './Password.svelte';
import Refused from './Refused.svelte';
import TeamSettings from './TeamSettings.svelte';
import WorkingHours from './WorkingHours.svelte';

let host: Memory;
beforeEach(() => void (host = reset()));
const called = (name: string) => host.calls.filter((c) => c.name === name).map((c) => c.args);
const type = (id: string, value: string) => fireEvent.input(screen.getByTestId(id), { target: { value } });

describe('a mailbox', () => {
  it('is filled in from the address, corrected by hand, and added', async () => {
    const onadded = vi.fn();
    render(AddMailbox, { onadded });
    await type('mail-address', 'ana@example.org');
    expect((screen.getByTestId('imap-host') as HTMLInputElement).value).toBe('imap.example.org');
    await type('imap-host', '127.0.0.1');
    await type('mail-address', 'ana@example.net');
    expect((screen.getByTestId('imap-host') as HTMLInputElement).value).toBe('127.0.0.1');
    await fireEvent.change(screen.getByTestId('imap-security'), { target: { value: 'starttls' } });
    expect((screen.getByTestId('imap-port') as HTMLInputElement).value).toBe('143');
    await type('mail-password', 'secret');
    await fireEvent.submit(screen.getByTestId('mailbox-form'));
    await eventually(() => expect(onadded).toHaveBeenCalled());
    expect(called('add_account')).toMatchObject([
      { kind: 'imap', address: 'ana@example.net', user: 'ana@example.net', imap: { host: '127.0.0.1', port: 143, security: 'starttls' }, smtp: { host: 'smtp.example.org' } },
    ]);
  });

  it('says why it was refused and keeps what was typed', async () => {
    render(AddMailbox, { onadded: vi.fn() });
    await type('mail-address', 'ana@example.org');
    await type('mail-password', 'wrong');
    await fireEvent.submit(screen.getByTestId('mailbox-form'));
    expect((await screen.findByRole('alert')).textContent).toContain('refused the password');
    expect((screen.getByTestId('mail-address') as HTMLInputElement).value).toBe('ana@example.org');
  });
});

describe('removing an account', () => {
  async function ask() {
    const account = (await host.call('accounts', {})).find((a) => a.kind === 'imap')!;
    render(AccountLine, { account, onchange: vi.fn(async () => undefined) });
    await fireEvent.click(screen.getByTestId('account-remove-ask'));
    await screen.findByTestId('account-remove');
    return account;
  }

  it('names what was never sent, with its words, and says that it is lost', async () => {
    await host.call('save_draft', { item: 'contract', text: 'Precious words', thread: null, answer: null });
    const { id } = await ask();
    const lost = screen.getByTestId('account-unsent').textContent;
    for (const said of ['1 text that was never sent', 'Contract for the usability study (a draft)', 'Precious words']) expect(lost).toContain(said);
    await fireEvent.click(screen.getByTestId('account-remove'));
    await eventually(() => expect(called('remove_account')).toEqual([{ id, lose_unsent: true }]));
  });

  it('asks plainly where nothing is lost', async () => {
    const { id } = await ask();
    expect(screen.queryByTestId('account-unsent')).toBeNull();
    await fireEvent.click(screen.getByTestId('account-remove'));
    await eventually(() => expect(called('remove_account')).toEqual([{ id, lose_unsent: false }]));
  });
});

describe('working hours', () => {
  it('are kept as they change', async () => {
    render(WorkingHours);
    expect(await screen.findAllByTestId('interval')).toHaveLength(10);
    await fireEvent.click(screen.getByTestId('add-sat'));
    await eventually(() => expect(called('set_hours')).toHaveLength(1));
    expect(called('set_hours')).toMatchObject([{ proposed: false, schedule: { weekly: { sat: [['09:00', '17:00']] } } }]);
  });

  it('move by the arrow keys and go by Delete', async () => {
    render(WorkingHours);
    const [first] = await screen.findAllByTestId('interval');
    await fireEvent.keyDown(first!, { key: 'ArrowRight', shiftKey: true });
    await eventually(() => expect(called('set_hours')).toMatchObject([{ schedule: { weekly: { mon: [['09:00', '13:15'], ['14:00', '18:00']] } } }]));
    await fireEvent.keyDown((await screen.findAllByTestId('interval'))[0]!, { key: 'Delete' });
    await eventually(() => expect(called('set_hours')[1]).toMatchObject({ schedule: { weekly: { mon: [['14:00', '18:00']] } } }));
  });

  it('say which field was refused, and keep the edit', async () => {
    render(WorkingHours);
    await screen.findAllByTestId('interval');
    const honest = host.call.bind(host);
    host.call = (name, args) =>
      name === 'set_hours' ? Promise.reject({ code: 'invalid', message: 'weekly.sat[0]: must end after it starts' }) : honest(name, args);
    await fireEvent.click(screen.getByTestId('add-sat'));
    expect((await screen.findByRole('alert')).textContent).toContain('weekly.sat[0]');
    expect(screen.getAllByTestId('interval')).toHaveLength(11);
  });

  it('are typed, also past midnight', async () => {
    const onsave = vi.fn();
    render(IntervalForm, { interval: ['09:00', '13:00'], onsave, onremove: vi.fn(), onspread: vi.fn() });
    await type('interval-to', 'later');
    expect((screen.getByText('Keep') as HTMLButtonElement).disabled).toBe(true);
    await type('interval-from', '22');
    await type('interval-to', '2:00');
    expect(screen.getByText(/past midnight, 4 h/)).toBeTruthy();
    await fireEvent.click(screen.getByText('Keep'));
    expect(onsave).toHaveBeenCalledWith(['22:00', '02:00']);
  });
});

describe('what was refused', () => {
  it('is shown beside what somebody wrote meanwhile, and put in its place when asked', async () => {
    const refusal = { id: 3, item: 'sync', what: 'Sent again', text: 'On Tuesday.', message: 'the message was changed meanwhile', present: 'On Wednesday.' };
    const honest = host.call.bind(host) as (name: string, args: unknown) => Promise<unknown>;
    host.call = (async (name: string, args: unknown) => (name === 'refusals' ? [refusal] : honest(name, args))) as typeof host.call;
    render(Refused);
    const shown = await screen.findByTestId('refusal');
    for (const said of ['Somebody changed this meanwhile', 'On Tuesday.', 'On Wednesday.']) expect(shown.textContent).toContain(said);
    await fireEvent.click(screen.getByText('Put mine in its place'));
    await eventually(() => expect(called('settle_refusal')).toEqual([{ id: 3, retry: true }]));
  });
});

describe('the team', () => {
  it('shows my devices, ends another one after asking, and makes a link', async () => {
    render(Devices);
    const lines = await screen.findAllByTestId('device');
    expect(lines).toHaveLength(3);
    expect(lines[0]!.textContent).toContain('this one');
    expect(screen.getAllByTestId('device-end-ask')).toHaveLength(2);
    await fireEvent.click(screen.getAllByTestId('device-end-ask')[0]!);
    expect(called('end_device')).toEqual([]);
    await fireEvent.click(screen.getByTestId('device-end'));
    await eventually(() => expect(screen.getAllByTestId('device')).toHaveLength(2));
    expect(called('end_device')).toEqual([{ id: 'd2' }]);
    await fireEvent.click(screen.getByTestId('device-add'));
    expect(((await screen.findByTestId('link-text')) as HTMLInputElement).value).toContain('meantime://join#');
  });

  it('changes a password, and says why not', async () => {
    render(Password);
    await fireEvent.click(await screen.findByTestId('password-set'));
    await type('current-password', 'wrong');
    await type('new-password', 'correct horse battery');
    await fireEvent.click(screen.getByTestId('password-go'));
    expect((await screen.findByRole('alert')).textContent).toContain('is wrong');
    await type('current-password', 'right');
    await fireEvent.click(screen.getByTestId('password-go'));
    await screen.findByTestId('password-set');
    expect(called('set_password').at(-1)).toEqual({ login: 'ana', password: 'correct horse battery', current: 'right' });
  });

  it('shows an authenticator its key, and asks for a first code before it counts', async () => {
    render(Password);
    await fireEvent.click(await screen.findByTestId('totp'));
    await type('current-password', 'wrong');
    await fireEvent.submit(screen.getByTestId('authenticator'));
    expect((await screen.findByRole('alert')).textContent).toContain('is wrong');
    await type('current-password', 'right');
    await fireEvent.submit(screen.getByTestId('authenticator'));
    expect((await screen.findByTestId('totp-secret')).textContent).toContain('JBSW Y3DP');
    // The corner of the picture, and its light margin.
    const picture = screen.getByTestId('qr');
    expect(picture.getAttribute('viewBox')).toBe('-4 -4 45 45');
    expect(picture.querySelector('path')!.getAttribute('d')).toMatch(/^M0 0h7v1h-7zM8 0h1v1h-1z/);
    await type('totp-code', '000000');
    await fireEvent.submit(screen.getByTestId('authenticator'));
    expect((await screen.findByRole('alert')).textContent).toContain('is wrong');
    await type('totp-code', '123 456');
    await fireEvent.submit(screen.getByTestId('authenticator'));
    await eventually(() => expect(screen.getByTestId('totp').textContent).toContain('End with'));
    await fireEvent.click(screen.getByTestId('totp'));
    await type('current-password', 'right');
    await fireEvent.submit(screen.getByTestId('authenticator'));
    await eventually(() => expect(screen.getByTestId('totp').textContent).toContain('Add an'));
  });

  it('lets those who decide change roles, remove after asking, and invite', async () => {
    render(Members);
    expect(await screen.findAllByTestId('member')).toHaveLength(9);
    expect(screen.getAllByTestId('member-role')).toHaveLength(6);
    await fireEvent.change(screen.getAllByTestId('member-role')[0]!, { target: { value: 'admin' } });
    await eventually(() => expect(called('set_role')).toEqual([{ person: 'tomas', role: 'admin' }]));
    await fireEvent.click(screen.getAllByTestId('member-remove-ask')[0]!);
    await fireEvent.click(screen.getByTestId('member-remove'));
    await eventually(() => expect(called('remove_member')).toEqual([{ person: 'tomas' }]));
    await fireEvent.click(screen.getByTestId('invite-ask'));
    await fireEvent.click(screen.getByTestId('invite-go'));
    await screen.findByTestId('link-text');
    expect(called('invite')).toEqual([{ role: 'member', valid_hours: 72 }]);
  });
});

describe('joining', () => {
  it('looks first and joins only when told to', async () => {
    const onjoined = vi.fn();
    render(JoinTeam, { link: 'meantime://join#abc', onjoined });
    expect((await screen.findByTestId('invite')).textContent).toContain('team.example.org');
    expect(called('join')).toEqual([]);
    await type('join-name', 'Ana Sousa');
    await fireEvent.click(screen.getByTestId('join-go'));
    await eventually(() => expect(onjoined).toHaveBeenCalled());
    expect(called('join')).toEqual([{ link: 'meantime://join#abc', name: 'Ana Sousa' }]);
  });

  it('is offered again where the server refuses this device', async () => {
    const honest = host.call.bind(host) as (name: string, args: unknown) => Promise<unknown>;
    const connection = { state: 'refused', message: 'Join the team again with a new invite.', signed_out: true };
    host.call = (async (name: string, args: unknown) => {
      const reply = await honest(name, args);
      return name === 'status' ? { ...(reply as object), connection } : reply;
    }) as typeof host.call;
    await me.refresh();
    render(TeamSettings);
    expect(screen.getByRole('alert').textContent).toContain('new invite');
    expect(screen.getByTestId('join-link')).toBeTruthy();
    // It knows where: the name and the password are enough.
    await fireEvent.click(screen.getByTestId('join-sign-in'));
    expect(screen.queryByTestId('sign-in-server')).toBeNull();
    await type('sign-in-login', 'ana');
    await type('sign-in-password', 'right');
    await fireEvent.submit(screen.getByTestId('sign-in'));
    await eventually(() => expect(called('sign_in')).toEqual([{ server: '', login: 'ana', password: 'right', code: null }]));
  });

  it('with a password asks for a code only where one is needed', async () => {
    const onjoined = vi.fn();
    render(JoinTeam, { onjoined });
    await fireEvent.click(screen.getByTestId('join-sign-in'));
    await type('sign-in-server', 'team.example.org:8787');
    await type('sign-in-login', 'ana');
    await type('sign-in-password', 'wrong');
    await fireEvent.submit(screen.getByTestId('sign-in'));
    expect((await screen.findByRole('alert')).textContent).toContain('is wrong');
    expect(screen.queryByTestId('sign-in-code')).toBeNull();
    await type('sign-in-password', 'with a code');
    await fireEvent.submit(screen.getByTestId('sign-in'));
    await screen.findByTestId('sign-in-code');
    expect(screen.queryByRole('alert')).toBeNull();
    await type('sign-in-code', '123456');
    await fireEvent.submit(screen.getByTestId('sign-in'));
    await eventually(() => expect(onjoined).toHaveBeenCalled());
    expect(called('sign_in').at(-1)).toEqual({ server: 'team.example.org:8787', login: 'ana', password: 'with a code', code: '123456' });
  });

  it('can be left from where it is shown', async () => {
    await me.refresh();
    render(TeamSettings);
    await fireEvent.click(screen.getByTestId('leave-team'));
    expect([where.page, where.section]).toEqual(['settings', 'accounts']);
  });

  it('says what is wrong with a link', async () => {
    render(JoinTeam, {});
    await type('join-link', 'hello');
    await fireEvent.click(screen.getByTestId('join-go'));
    expect((await screen.findByRole('alert')).textContent).toContain('no invite link');
  });
});
