"""Slack or curl -> API -> counter -> words table, topic -> multiplier -> words table; logger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Duration

from odyssey_constructs.client import Client
from odyssey_constructs.dashboard import dashboard
from odyssey_constructs.function import PythonFunction
from odyssey_constructs.http_api import HttpApi
from odyssey_constructs.queue import RejectsQueue
from odyssey_constructs.secret import Secret
from odyssey_constructs.stack import OdysseyStack
from odyssey_constructs.table import Table
from odyssey_constructs.topic import Topic

if TYPE_CHECKING:
    from constructs import Construct
    from odyssey_constructs.config import Config

RANKING = "by-count"


class PubSub(OdysseyStack):
    """Counts the words that people say; who else wants them subscribes to a topic."""

    def __init__(self, scope: Construct, id: str, *, config: Config) -> None:
        super().__init__(
            scope, id, config=config, description="AWS Odyssey: counts words said in Slack"
        )
        words = Table(self, "Words", config=config)
        words.add_ranking(RANKING, partition_key="ranking", rank="word_count")
        markers = Table(self, "Markers", config=config)
        of_slack = Secret(self, "SlackSecret", field="signing_secret", config=config)
        of_curl = Secret(self, "ApiSecret", field="token", config=config)
        rejects = RejectsQueue(
            self,
            "Rejects",
            what="Messages of the topic that a subscriber can never process",
            group="pubsub",
            config=config,
        )
        counted = Topic(self, "Counted", rejects=rejects, config=config)
        api = HttpApi(self, "Api", config=config)
        words_table = {"WORDS_TABLE": words.table.table_name}
        markers_table = {"MARKERS_TABLE": markers.table.table_name}
        token = {"API_SECRET": of_curl.secret.secret_arn}

        counter = PythonFunction(
            self,
            "Counter",
            handler="pubsub.counter",
            environment=words_table
            | markers_table
            | token
            | {"SLACK_SECRET": of_slack.secret.secret_arn, "TOPIC": counted.topic.topic_arn},
            timeout=Duration.seconds(29),
            config=config,
        )
        words.allow_update(counter)
        words.allow_batch_get(counter)
        markers.allow_put(counter)
        markers.allow_batch_get(counter)
        counted.allow_publish(counter)
        api.post("slack", counter)
        api.post("words", counter)

        multiplier = PythonFunction(
            self,
            "Multiplier",
            handler="pubsub.multiplier",
            environment=words_table | markers_table,
            timeout=Duration.minutes(2),
            config=config,
        )
        words.allow_update(multiplier)
        markers.allow_put(multiplier)
        counted.subscribe(multiplier, missing="The words of messages count 1 instead of 11.")

        logger = PythonFunction(self, "Logger", handler="pubsub.word_logger", config=config)
        counted.subscribe(logger, missing="Messages are missing in the log of words.")

        reader = PythonFunction(
            self,
            "Reader",
            handler="pubsub.reader",
            environment=words_table | token | {"RANKING": RANKING},
            config=config,
        )
        words.allow_get(reader)
        words.allow_query(reader, index=RANKING)
        api.get("words", reader)
        api.get("words/{word}", reader)

        speaker = Client(self, "Speaker", description="Says words as Slack and curl do")
        of_slack.allow_read(counter, speaker)
        of_curl.allow_read(counter, reader, speaker)

        dashboard(
            self,
            api=api,
            functions=[counter, multiplier, logger, reader],
            counts=[
                *("MessagesCounted", "MessagesRepeated", "MessagesIgnored", "MessagesMultiplied"),
                *("MessagesAlreadyMultiplied", "MessagesRejected", "WordsLogged"),
                *("RequestsRefused", "RequestsFailed"),
            ],
        )
        self.outputs(
            ApiUrl=api.url,
            SlackSecretArn=of_slack.secret.secret_arn,
            ApiSecretArn=of_curl.secret.secret_arn,
            LoggerName=logger.function.function_name,
            TopicArn=counted.topic.topic_arn,
            WordsTable=words.table.table_name,
            RejectsQueueUrl=rejects.queue.queue_url,
        )
