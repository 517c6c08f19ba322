package io.roasthouse.cards;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;

/** Keys that sign cards. A key is used for six hours; the one before stays valid. */
public final class KeyRing {

    private static final Duration LIFETIME = Duration.ofHours(6);
    private final Clock clock;
    private final List<Key> keys;

    public KeyRing(Clock clock, List<Key> keys) {
        this.clock = clock;
        this.keys = new java.util.ArrayList<>(keys);
    }

    public synchronized Key current() {
        Key newest = keys.get(keys.size() - 1);
        if (newest.created().plus(LIFETIME).isBefore(Instant.now(clock))) {
            keys.add(Key.create(clock));
            return current();
        }
        return newest;
    }
}
