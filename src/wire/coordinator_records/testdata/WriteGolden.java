// Writes apache-4.3.1.txt, with Apache Kafka's own classes:
//   java -cp '<the directory of Kafka 4.3.1's jars>/*' WriteGolden.java > apache-4.3.1.txt
//
// schema STRUCT FIELD TYPE VERSIONS [tag N]   a field as Kafka's schema has it, in our words
// written NAME VERSION                        a version that Kafka chooses
// record NAME SEED VERSION KEY VALUE          a record as Kafka writes it, its fields drawn from the seed as
//                                             src/wire/records/samples.rs draws them

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.coordinator.group.GroupCoordinatorRecordHelpers;
import org.apache.kafka.coordinator.group.OffsetAndMetadata;
import org.apache.kafka.server.common.TransactionVersion;

public class WriteGolden {
    static final String GROUP = "org.apache.kafka.coordinator.group.generated.";
    static final String TRANSACTION = "org.apache.kafka.coordinator.transaction.generated.";
    static final String[] NAMES = {
        "OffsetCommit", "GroupMetadata", "ConsumerGroupMetadata", "ConsumerGroupPartitionMetadata",
        "ConsumerGroupMemberMetadata", "ConsumerGroupTargetAssignmentMetadata",
        "ConsumerGroupTargetAssignmentMember", "ConsumerGroupCurrentMemberAssignment",
        "ConsumerGroupRegularExpression",
    };
    static final long[] SEEDS = {1, 2, 3};
    static final ObjectMapper JSON = new ObjectMapper().configure(JsonParser.Feature.ALLOW_COMMENTS, true);

    static long state;
    static final Set<String> described = new LinkedHashSet<>();

    static long draw() {
        state += 0x9e3779b97f4a7c15L;
        long mixed = (state ^ (state >>> 30)) * 0xbf58476d1ce4e5b9L;
        mixed = (mixed ^ (mixed >>> 27)) * 0x94d049bb133111ebL;
        return mixed ^ (mixed >>> 31);
    }

    static long draw(long below) {
        return Long.remainderUnsigned(draw(), below);
    }

    static String text() {
        StringBuilder text = new StringBuilder();
        for (long left = draw(140); left > 0; left--) {
            text.append((char) ('a' + draw(26)));
        }
        return text.toString();
    }

    /** A message's schema. */
    record Schema(String packageName, String message, JsonNode json) {
        static Schema of(String packageName, String message) throws Exception {
            var stream = WriteGolden.class.getClassLoader().getResourceAsStream("common/message/" + message + ".json");
            return new Schema(packageName, message, JSON.readTree(stream));
        }

        /** The fields of a struct, those with tags last and by their tags. */
        static List<JsonNode> ordered(JsonNode fields) {
            List<JsonNode> all = new ArrayList<>();
            fields.forEach(all::add);
            all.sort((a, b) -> Integer.compare(a.path("tag").asInt(-1), b.path("tag").asInt(-1)));
            return all;
        }

        JsonNode fieldsOf(JsonNode field, String struct) {
            if (field.has("fields")) {
                return field.get("fields");
            }
            for (JsonNode common : json.path("commonStructs")) {
                if (common.get("name").asText().equals(struct)) {
                    return common.get("fields");
                }
            }
            throw new IllegalStateException(struct);
        }

        static String versions(JsonNode field) {
            return field.has("taggedVersions") ? field.get("taggedVersions").asText() : field.get("versions").asText();
        }

        static boolean has(JsonNode field, int version) {
            String versions = versions(field);
            int first = Character.digit(versions.charAt(0), 10);
            return versions.endsWith("+") ? version >= first : version == first;
        }

        void describe(String struct, JsonNode fields) {
            for (JsonNode field : ordered(fields)) {
                String type = field.get("type").asText();
                String kind = type.replace("[]", "");
                String ours = switch (kind) {
                    case "int8" -> "i8";
                    case "int16" -> "i16";
                    case "int32" -> "i32";
                    case "int64" -> "i64";
                    case "string" -> "String";
                    case "bytes" -> "Bytes";
                    case "uuid" -> "Uuid";
                    default -> kind;
                };
                ours = type.startsWith("[]") ? "Vec<" + ours + ">" : ours;
                ours = field.has("nullableVersions") ? "Option<" + ours + ">" : ours;
                String name = field.get("name").asText().replaceAll("([a-z])([A-Z])", "$1_$2").toLowerCase();
                String versions = versions(field);
                // Keys have one version, and are declared as open-ended.
                versions = versions.equals("0") ? "0+" : versions.endsWith("+") ? versions : versions + "-" + versions;
                String tag = field.has("tag") ? " tag " + field.get("tag").asText() : "";
                described.add("schema " + struct + " " + name + " " + ours + " " + versions + tag);
                if (Character.isUpperCase(kind.charAt(0))) {
                    describe(kind, fieldsOf(field, kind));
                }
            }
        }

        Object value(JsonNode field, String type, int version) throws Exception {
            if (type.startsWith("[]")) {
                List<Object> elements = new ArrayList<>();
                for (long left = draw(4); left > 0; left--) {
                    elements.add(value(field, type.substring(2), version));
                }
                return elements;
            }
            return switch (type) {
                case "int8" -> (byte) draw();
                case "int16" -> (short) draw();
                case "int32" -> (int) draw();
                case "int64" -> draw();
                case "string" -> text();
                case "bytes" -> text().getBytes();
                case "uuid" -> {
                    long high = draw();
                    yield new Uuid(high, draw());
                }
                default -> fill(packageName + message + "$" + type, fieldsOf(field, type), version);
            };
        }

        Object fill(String className, JsonNode fields, int version) throws Exception {
            Object struct = Class.forName(className).getConstructor().newInstance();
            for (JsonNode field : ordered(fields)) {
                boolean absent = field.has("nullableVersions") && draw(2) == 0;
                Object value = absent ? null : value(field, field.get("type").asText(), version);
                if (has(field, version)) {
                    String name = field.get("name").asText();
                    String setter = "set" + name.substring(0, 1).toUpperCase() + name.substring(1);
                    for (Method method : struct.getClass().getMethods()) {
                        if (method.getName().equals(setter)) {
                            method.invoke(struct, value);
                        }
                    }
                }
            }
            return struct;
        }

        ApiMessage sample(int version) throws Exception {
            return (ApiMessage) fill(packageName + message, json.get("fields"), version);
        }
    }

    static void write(String packageName, String name) throws Exception {
        Schema key = Schema.of(packageName, name + "Key");
        Schema value = Schema.of(packageName, name + "Value");
        for (Schema schema : List.of(key, value)) {
            schema.describe(schema.message(), schema.json().get("fields"));
        }
        String versions = value.json().get("validVersions").asText();
        int newest = Character.digit(versions.charAt(versions.length() - 1), 10);
        HexFormat hex = HexFormat.of();
        for (long seed : SEEDS) {
            for (int version = 0; version <= newest; version++) {
                state = seed;
                byte[] keyBytes = MessageUtil.toCoordinatorTypePrefixedBytes(key.sample(0));
                byte[] valueBytes = MessageUtil.toVersionPrefixedBytes((short) version, value.sample(version));
                System.out.println("record " + name + " " + seed + " " + version + " " + hex.formatHex(keyBytes)
                    + " " + hex.formatHex(valueBytes));
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        for (String name : NAMES) {
            write(GROUP, name);
        }
        write(TRANSACTION, "TransactionLog");
        described.forEach(System.out::println);

        for (OptionalLong expires : List.of(OptionalLong.empty(), OptionalLong.of(5))) {
            var offset = new OffsetAndMetadata(1, OptionalInt.of(2), "m", 3, expires, Uuid.ZERO_UUID);
            var record = GroupCoordinatorRecordHelpers.newOffsetCommitRecord("g", "t", 0, offset);
            String name = expires.isPresent() ? "OffsetCommitThatExpires" : "OffsetCommit";
            System.out.println("written " + name + " " + record.value().version());
        }
        Field version = GroupCoordinatorRecordHelpers.class.getDeclaredField("GROUP_METADATA_VALUE_VERSION");
        version.setAccessible(true);
        System.out.println("written GroupMetadata " + version.get(null));
        for (short level = 0; level <= 2; level++) {
            short written = TransactionVersion.fromFeatureLevel(level).transactionLogValueVersion();
            System.out.println("written TransactionLog" + level + " " + written);
        }
    }
}
