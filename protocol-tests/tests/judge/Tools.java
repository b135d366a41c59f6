import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs Apache's tools one after another in one JVM, whose start takes longer than most of them. A line of standard
 * input is a class and its arguments, separated by tabs; the answer is a line with the status and the lengths of what
 * was printed and of what was complained about, and these. The class "transact" is a producer of transactions.
 */
public final class Tools {
    /** How a tool ends. */
    private static final class Ended extends RuntimeException {
        private final int status;

        Ended(int status, String message) {
            super(message, null, false, false);
            this.status = status;
        }
    }

    /** Producers with a transaction that stays open: it would be aborted when they are closed. */
    private static final List<KafkaProducer<String, String>> OPEN = new ArrayList<>();

    public static void main(String[] none) throws Exception {
        Exit.setExitProcedure((status, message) -> { throw new Ended(status, message); });
        Exit.setHaltProcedure((status, message) -> { throw new Ended(status, message); });
        Exit.setShutdownHookAdder((name, hook) -> { });
        PrintStream answers = System.out;
        var commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            var printed = new ByteArrayOutputStream();
            var complained = new ByteArrayOutputStream();
            System.setOut(new PrintStream(printed, true));
            System.setErr(new PrintStream(complained, true));
            int status = run(line.split("\t", -1));
            System.out.flush();
            System.err.flush();
            byte[] out = printed.toByteArray();
            byte[] err = complained.toByteArray();
            answers.println(status + " " + out.length + " " + err.length);
            answers.write(out);
            answers.write(err);
            answers.flush();
        }
        // Without the ends of what is still open: that is what it is open for.
        Runtime.getRuntime().halt(0);
    }

    private static int run(String[] words) {
        String[] arguments = Arrays.copyOfRange(words, 1, words.length);
        try {
            if (words[0].equals("transact")) {
                transact(arguments);
            } else {
                Class.forName(words[0]).getMethod("main", String[].class).invoke(null, (Object) arguments);
            }
            return 0;
        } catch (InvocationTargetException thrown) {
            if (thrown.getCause() instanceof Ended ended) {
                if (ended.getMessage() != null) System.err.println(ended.getMessage());
                return ended.status;
            }
            thrown.getCause().printStackTrace();
        } catch (Exception thrown) {
            thrown.printStackTrace();
        }
        return -1;
    }

    /**
     * Server, transactional id, topic, and transactions: "commit", "abort" or "open" and what is in it, separated by
     * commas: values for partition 0, or "group=offset" for an offset in it.
     */
    @SuppressWarnings("removal")
    private static void transact(String[] arguments) throws Exception {
        String topic = arguments[2];
        var producer = new KafkaProducer<>(
            Map.of("bootstrap.servers", arguments[0], "transactional.id", arguments[1]),
            new StringSerializer(), new StringSerializer());
        producer.initTransactions();
        boolean isOpen = false;
        for (String transaction : Arrays.copyOfRange(arguments, 3, arguments.length)) {
            String[] parts = transaction.split(",");
            producer.beginTransaction();
            for (String part : Arrays.copyOfRange(parts, 1, parts.length)) {
                String[] offset = part.split("=");
                if (offset.length == 2) {
                    var committed = new OffsetAndMetadata(Long.parseLong(offset[1]));
                    producer.sendOffsetsToTransaction(Map.of(new TopicPartition(topic, 0), committed),
                        new ConsumerGroupMetadata(offset[0]));
                } else {
                    producer.send(new ProducerRecord<>(topic, 0, null, part)).get();
                }
            }
            switch (parts[0]) {
                case "commit" -> producer.commitTransaction();
                case "abort" -> producer.abortTransaction();
                default -> isOpen = true;
            }
        }
        if (isOpen) OPEN.add(producer); else producer.close();
    }
}
