import { Drill, flowWith, merge, quick } from './drill';
(async () => {
  const drill = await Drill.start(flowWith(merge(quick, { 'conference-session': { heartbeat: '0' } })));
  drill.ask('conference-session', 'join');
  await drill.mcu('chat', 'Active');
  drill.ask('mcu-session', { command: 'call' }, 'chat');
  await drill.next({ event: 'call-state-changed', state: 'Established' } as never);
  drill.mark();
  drill.ask('mcu-session', { command: 'send', text: 'x' }, 'chat');
  await new Promise((r) => setTimeout(r, 500));
  for (const f of drill.facts()) console.log(JSON.stringify(f));
  console.log(drill.nodeRed.log().slice(-300));
  await drill.stop();
})();
