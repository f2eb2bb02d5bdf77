import { demoAddress } from '../../src/demo/demo.js';
import { type Service, startService } from '../support/service.js';
import { insertAccount, insertPost, insertVideo } from '../support/social.js';

let service: Service;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

describe('A deleted post', () => {
  it('lets the video go that it showed, and changes in nothing else', async () => {
    const token = await service.tokenOf(demoAddress('staff', 'northside'));
    const { organisationId } = (await service.call('GET', '/clinics', { token })).body.data[0];
    const accountId = await insertAccount(service.database, organisationId);
    const videoId = await insertVideo(service.database, organisationId);
    const shown = { content_id: videoId, content_type: 'video', content_url: 'https://media.example/video.mp4' };
    const postId = await insertPost(service.database, accountId, { ...shown, status: 'deleted' });
    const change = service.database.sql(`UPDATE social_media_posts SET caption = 'Other' WHERE id = $1`, [postId]);
    await expect(change).rejects.toThrow('post-state');
    const path = `/organisations/${organisationId}/social/videos/${videoId}`;
    expect((await service.call('DELETE', path, { token })).status).toBe(204);
    const rows = await service.database.sql(
      'SELECT status, content_id, content_url FROM social_media_posts WHERE id = $1',
      [postId],
    );
    expect(rows).toEqual([{ status: 'deleted', content_id: null, content_url: shown.content_url }]);
  });
});

describe('A post that a worker is publishing', () => {
  it('lets the video go that it shows, and keeps its address', async () => {
    const token = await service.tokenOf(demoAddress('staff', 'northside'));
    const { organisationId } = (await service.call('GET', '/clinics', { token })).body.data[0];
    const accountId = await insertAccount(service.database, organisationId);
    const videoId = await insertVideo(service.database, organisationId);
    const shown = { content_id: videoId, content_type: 'video', content_url: 'https://media.example/video.mp4' };
    const postId = await insertPost(service.database, accountId, { ...shown, status: 'processing' });
    const path = `/organisations/${organisationId}/social/videos/${videoId}`;
    const answer = await service.call('DELETE', path, { token });
    expect([answer.status, answer.body?.code]).toEqual([204, undefined]);
    const rows = await service.database.sql(
      'SELECT status, content_id, content_url FROM social_media_posts WHERE id = $1',
      [postId],
    );
    expect(rows).toEqual([{ status: 'processing', content_id: null, content_url: shown.content_url }]);
  });
});
