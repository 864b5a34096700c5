# local.zeek, with the plugin zeek-kafka (zkg install seisollc/zeek-kafka). Not run by the tests.
# The three logs that name URLs and hosts; the tag tells them apart.
@load packages/zeek-kafka

redef Kafka::topic_name = "url-events";
redef Kafka::tag_json = T;
redef Kafka::logs_to_send = set(HTTP::LOG, DNS::LOG, SSL::LOG);
redef Kafka::kafka_conf = table(
  ["metadata.broker.list"] = "kafka.example:9092",
  ["compression.codec"] = "lz4"
);
