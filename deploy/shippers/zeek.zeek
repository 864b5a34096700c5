# local.zeek, with the plugin zeek-kafka (zkg install seisollc/zeek-kafka). Not run by the tests.
# The logs that name URLs and hosts; the tag tells them apart. QUIC::LOG needs Zeek 6.1.
@load packages/zeek-kafka

redef Kafka::topic_name = "url-events";
redef Kafka::tag_json = T;
redef Kafka::logs_to_send = set(HTTP::LOG, DNS::LOG, SSL::LOG, QUIC::LOG);
redef Kafka::kafka_conf = table(
  ["metadata.broker.list"] = "kafka.example:9092",
  ["compression.codec"] = "lz4"
);
