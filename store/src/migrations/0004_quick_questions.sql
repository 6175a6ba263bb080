-- All that scheduling asks of most features, so that the graph is read without their texts.
CREATE INDEX features_for_scheduling ON features (status, priority, estimate_s, failed_attempts, crashes);
