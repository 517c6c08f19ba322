package io.voltaic.tariffs;

/** A customer's contract. The window is null unless the customer chose one. */
public record Contract(String id, Plan plan, NightWindow window) {}
