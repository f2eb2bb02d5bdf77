import { demoAddress } from '../../src/demo/demo.js';
import { seedDemoMetrics } from '../../src/demo/demo-metrics.js';
import { startService } from '../support/service.js';

describe('The demo', () => {
  it('has metrics worth looking at, once however often it is started', async () => {
    const fresh = await startService();
    try {
      await Promise.all([seedDemoMetrics(fresh.config), seedDemoMetrics(fresh.config)]);
      const token = await fresh.tokenOf(demoAddress('viewer', 'southbank'));
      const id = (await fresh.call('GET', '/clinics', { token })).body.data[0].id;
      const to = new Date().toISOString().slice(0, 10);
      const path = `/clinics/${id}/metrics/aggregations?metrics=production&granularity=yearly&from=${to}&to=${to}`;
      const { body } = await fresh.call('GET', path, { token });
      expect(Number(body.metrics[0].points[0].value)).toBeGreaterThan(1_000);
      const [{ days } = { days: 0 }] = await fresh.database.sql<{ days: number }>(
        `SELECT max(n)::int AS days FROM (SELECT count(*) AS n FROM call_metrics GROUP BY clinic_id, date) each`,
      );
      expect(days).toBe(1);
    } finally {
      await fresh.stop();
    }
  });
});
