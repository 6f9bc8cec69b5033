import assert from 'node:assert/strict';
import { Negotiation } from '../../../nodes/signaling/sip/negotiation';

const invite = { method: 'INVITE', offers: true };
const emptyInvite = { method: 'INVITE', offers: false };
const update = { method: 'UPDATE', offers: false };
const offeringUpdate = { method: 'UPDATE', offers: true };
const all = [invite, emptyInvite, update, offeringUpdate];

describe('who may change a session (RFC 3261, 14; RFC 3311, 5)', () => {
  let negotiation: Negotiation;
  const refusals = (now = 0) => all.map((proposal) => negotiation.refusalOf(proposal, now));
  const begun: string[] = [];
  const enter = (change: { name: string; offers: boolean }): boolean =>
    negotiation.enter(change, () => begun.push(change.name));

  beforeEach(() => {
    negotiation = new Negotiation();
    begun.length = 0;
  });

  it('lets the far end do anything as long as nothing is open', () => {
    assert.deepEqual(refusals(), [null, null, null, null]);
  });

  it('refuses what would cross an INVITE of ours with 491, and no UPDATE without an offer', () => {
    enter({ name: 'our re-INVITE', offers: true });
    assert.deepEqual(refusals(), [491, 491, null, 491]);
  });

  it('refuses nothing because of an UPDATE of ours, which offers nothing', () => {
    enter({ name: 'our UPDATE', offers: false });
    assert.deepEqual(refusals(), [null, null, null, null]);
  });

  it('refuses a second INVITE with 500 until the first is answered and acknowledged', () => {
    negotiation.received(invite);
    assert.deepEqual(refusals(), [500, 500, null, 500]);
    negotiation.answered(invite, 200, 0);
    assert.deepEqual(refusals(), [500, 500, null, null]);
    negotiation.acknowledged();
    assert.deepEqual(refusals(), [null, null, null, null]);
  });

  it('refuses an offer with 491 while the ACK is to answer ours', () => {
    negotiation.received(emptyInvite);
    negotiation.answered(emptyInvite, 200, 0);
    assert.deepEqual(refusals(), [500, 500, null, 491]);
  });

  it('forgets an INVITE that was refused, and one whose ACK has not come within 32 s', () => {
    negotiation.received(invite);
    negotiation.answered(invite, 488, 0);
    assert.deepEqual(refusals(), [null, null, null, null]);
    negotiation.received(emptyInvite);
    negotiation.answered(emptyInvite, 200, 0);
    assert.deepEqual(refusals(31_999), [500, 500, null, 491]);
    assert.deepEqual(refusals(32_000), [null, null, null, null]);
  });

  it('refuses a second UPDATE with 500 until the first is answered', () => {
    negotiation.received(update);
    assert.deepEqual(refusals(), [null, null, 500, 500]);
    negotiation.answered(update, 200, 0);
    assert.deepEqual(refusals(), [null, null, null, null]);
  });

  it('lets changes of ours take turns, and those who have lost interest go', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((name) => ({ name, offers: false })) as [
      { name: string; offers: boolean },
      { name: string; offers: boolean },
      { name: string; offers: boolean },
    ];
    assert.deepEqual([a, b, c].map(enter), [true, true, true]);
    assert.deepEqual(begun, ['a']);
    negotiation.leave(b);
    negotiation.leave(a);
    negotiation.leave(a);
    assert.deepEqual(begun, ['a', 'c']);
  });

  it('lets eight wait, and no more (MSG-6)', () => {
    const entered = Array.from({ length: 12 }, (_, index) => enter({ name: `${index}`, offers: false }));
    assert.equal(entered.filter((each) => each).length, 9);
    assert.equal(entered.indexOf(false), 9);
  });
});
