-- What technicians' phones ask for beside the socket: signing in by a link, photos, how the day went.

-- name: insert_code: a link's code, by its hash alone; one that is there already ends when it did
INSERT INTO sign_in_code AS s (code_hash, city_id, crew_id, issued_by, issued_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (code_hash) DO UPDATE SET expires_at = s.expires_at RETURNING expires_at

-- name: lock_code: what a code is for
SELECT s.city_id, s.crew_id, s.expires_at, s.device_hash, c.name FROM sign_in_code AS s JOIN crew AS c USING (city_id, crew_id)
WHERE code_hash = $1 FOR NO KEY UPDATE OF s

-- name: city_of_code: whose code it is
SELECT city_id FROM sign_in_code WHERE code_hash = $1

-- name: use_code: a device has used it
UPDATE sign_in_code SET device_hash = $2, used_at = $3 WHERE code_hash = $1

-- name: drop_codes: a crew's links, used or not, work no more
DELETE FROM sign_in_code WHERE city_id = $1 AND crew_id = $2

-- name: forget_codes: codes that nobody can use any more, so many at once
DELETE FROM sign_in_code WHERE ctid = ANY (ARRAY (SELECT ctid FROM sign_in_code WHERE expires_at < $1 LIMIT $2))

-- name: insert_photo: a photo of a visit
INSERT INTO photo (city_id, photo_id, crew_id, content_type, body, at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING

-- name: find_photo: a photo of a visit
SELECT content_type, body FROM photo WHERE city_id = $1 AND photo_id = $2

-- name: forget_photos: photos are deleted after a set time, so many at once
DELETE FROM photo WHERE ctid = ANY (ARRAY (SELECT ctid FROM photo WHERE at < $1 LIMIT $2))

-- name: crew_day: what a crew did since a moment: its orders that it arrived at or resolved, the newest rating of each
SELECT o.order_id, o.category, o.address, o.state, o.unverified, r.stars,
       (o.clocks -> 'arrival' ->> 'stopped_at')::timestamptz AS arrived_at,
       (o.clocks -> 'arrival' ->> 'state') AS arrival_state,
       (o.clocks -> 'resolve' ->> 'stopped_at')::timestamptz AS resolved_at
FROM orders AS o LEFT JOIN LATERAL (
    SELECT stars FROM rating WHERE rating.city_id = o.city_id AND rating.order_id = o.order_id AND rating.crew_id = o.crew_id
    ORDER BY at DESC LIMIT 1
) AS r ON true
WHERE o.city_id = $1 AND o.crew_id = $2 AND o.reported_at >= $3::timestamptz - interval '3 days'
  AND (o.clocks -> 'arrival' ->> 'stopped_at')::timestamptz >= $3
ORDER BY arrived_at DESC LIMIT 200

-- name: ratings_of_crew: how many rated visits a crew's score rests on
SELECT count(*) FROM rating WHERE city_id = $1 AND crew_id = $2 AND NOT amends
