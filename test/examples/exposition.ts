/**
 * Reads what a metrics page says, strictly: the text format of Prometheus (0.0.4) or OpenMetrics 1.0. Throws at whatever
 * one of them does not allow, as far as counters, gauges and histograms go.
 */
import assert from 'node:assert/strict';

export interface Sample {
  name: string;
  labels: { [label: string]: string };
  value: number;
}

export interface Family {
  type: string;
  samples: Sample[];
}

const metricName = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const number = '[+-]?(?:\\d+(?:\\.\\d+)?(?:[eE][+-]?\\d+)?|Inf)|NaN';
const labelled = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\["\\\\n])*"';
const sampleLine = new RegExp(`^(${metricName})(?:\\{(${labelled}(?:,${labelled})*)\\})? (${number})$`);
const metadataLine = new RegExp(`^# (HELP|TYPE) (${metricName}) (.+)$`);

/** Families by name. */
export function readExposition(text: string, format: 'prometheus' | 'openmetrics'): Map<string, Family> {
  assert.ok(text.endsWith('\n'), 'the last line ends');
  const lines = text.slice(0, -1).split('\n');
  if (format === 'openmetrics') assert.equal(lines.pop(), '# EOF');
  const families = new Map<string, Family>();
  let open = '';
  for (const line of lines) {
    const [, keyword, name = '', rest = ''] = metadataLine.exec(line) ?? [];
    if (keyword === 'HELP') {
      assert.ok(!families.has(name), `${name} twice, or not together`);
      families.set(name, { type: '', samples: [] });
      open = name;
    } else if (keyword === 'TYPE') {
      assert.equal(name, open, line);
      const family = familyOf(families, name);
      assert.deepEqual([family.type, family.samples.length], ['', 0], line);
      assert.match(rest, /^(counter|gauge|histogram)$/);
      family.type = rest;
    } else {
      const sample = readSample(line);
      const family = familyOf(families, open);
      assert.ok(namesOf(open, family.type, format).includes(sample.name), `${line} in ${open}`);
      family.samples.push(sample);
    }
  }
  for (const [name, family] of families) check(name, family);
  return families;
}

function familyOf(families: Map<string, Family>, name: string): Family {
  const family = families.get(name);
  assert.ok(family, `a family ${name}`);
  return family;
}

function readSample(line: string): Sample {
  const [whole, name = '', pairs = '', value = ''] = sampleLine.exec(line) ?? [];
  assert.ok(whole, `a sample: ${line}`);
  const labels: Sample['labels'] = {};
  for (const pair of pairs.match(new RegExp(labelled, 'g')) ?? []) {
    const label = pair.slice(0, pair.indexOf('='));
    assert.ok(!(label in labels), `${label} once in ${line}`);
    labels[label] = pair.slice(label.length + 2, -1);
  }
  return { name, labels, value: Number(value.replace('Inf', 'Infinity')) };
}

/** Names of the samples of a family. */
function namesOf(family: string, type: string, format: 'prometheus' | 'openmetrics'): string[] {
  if (type === 'histogram') return ['_bucket', '_sum', '_count'].map((suffix) => family + suffix);
  return [type === 'counter' && format === 'openmetrics' ? `${family}_total` : family];
}

function check(name: string, { type, samples }: Family): void {
  assert.notEqual(type, '', `${name} has a type`);
  const seen = samples.map((sample) => `${sample.name} ${JSON.stringify(Object.entries(sample.labels).sort())}`);
  assert.equal(new Set(seen).size, seen.length, `${name}: every sample once`);
  for (const { value } of samples) if (type !== 'gauge') assert.ok(value >= 0, `${name} is never negative`);
  if (type === 'histogram') checkHistograms(name, samples);
}

/** Of each: bounds that rise up to +Inf, counts that never fall, and a total that is that of the last. */
function checkHistograms(name: string, samples: Sample[]): void {
  const groups = new Map<string, Sample[]>();
  for (const sample of samples) {
    const { le, ...labels } = sample.labels;
    assert.equal(le !== undefined, sample.name === `${name}_bucket`);
    const key = JSON.stringify(labels);
    groups.set(key, [...(groups.get(key) ?? []), sample]);
  }
  for (const group of groups.values()) {
    const buckets = group.filter((sample) => sample.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels: { le = '' } }) => Number(le.replace('Inf', 'Infinity')));
    assert.equal(bounds.at(-1), Number.POSITIVE_INFINITY);
    for (const [index, bound] of bounds.entries()) {
      const [before, below] = [bounds[index - 1], buckets[index - 1]];
      assert.ok(before === undefined || before < bound, `${name}: bounds rise`);
      assert.ok(below === undefined || below.value <= (buckets[index]?.value ?? 0), `${name}: counts never fall`);
    }
    assert.equal(group.find((sample) => sample.name === `${name}_count`)?.value, buckets.at(-1)?.value);
    assert.equal(group.filter((sample) => sample.name === `${name}_sum`).length, 1);
  }
}
