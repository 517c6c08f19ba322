package io.roasthouse.cards;

import java.time.Clock;
import java.time.Instant;

/** One signing key. */
public record Key(String id, Instant created) {

    static Key create(Clock clock) {
        return new Key(java.util.UUID.randomUUID().toString(), Instant.now(clock));
    }
}
