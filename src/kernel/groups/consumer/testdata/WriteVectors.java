import java.lang.reflect.Proxy;
import java.util.*;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.coordinator.common.runtime.CoordinatorMetadataImage;
import org.apache.kafka.coordinator.group.api.assignor.*;
import org.apache.kafka.coordinator.group.assignor.*;
import org.apache.kafka.coordinator.group.modern.*;

// Writes what assignors/testdata and consumer/testdata hold, with Apache Kafka's own classes:
//   java -cp "<the directory of Kafka 4.3.1's jars>/*" WriteVectors.java assignors|hashes|regexes
public class WriteVectors {
    static String show(Map<Uuid, Set<Integer>> assignment) {
        StringBuilder out = new StringBuilder();
        for (var entry : new TreeMap<>(assignment).entrySet()) {
            if (entry.getValue().isEmpty()) continue;
            out.append(' ').append(entry.getKey().getLeastSignificantBits()).append(':');
            StringJoiner joiner = new StringJoiner(".");
            for (int p : new TreeSet<>(entry.getValue())) joiner.add("" + p);
            out.append(joiner);
        }
        return out.toString();
    }

    static void assignors(Random random) throws Exception {
        for (int c = 0; c < 240; c++) {
            int topics = 1 + random.nextInt(6), count = 1 + random.nextInt(7);
            boolean same = random.nextInt(3) == 0;
            boolean range = random.nextInt(4) == 0;
            TreeMap<Uuid, Integer> partitions = new TreeMap<>();
            for (int t = 1; t <= topics; t++) partitions.put(new Uuid(0, t), 1 + random.nextInt(12));
            Map<String, Set<Uuid>> subs = new TreeMap<>();
            for (int m = 0; m < count; m++) {
                Set<Uuid> set = new HashSet<>();
                for (Uuid t : partitions.keySet()) if (same || random.nextInt(3) > 0) set.add(t);
                subs.put("m" + m, set);
            }
            // What each had before: most partitions belong to someone, subscribed to the topic or not any more.
            Map<String, Map<Uuid, Set<Integer>>> before = new TreeMap<>();
            Map<Uuid, Map<Integer, String>> inverted = new HashMap<>();
            int keep = random.nextInt(4);
            List<String> ids = new ArrayList<>(subs.keySet());
            int skew = 1 + random.nextInt(count);
            for (var entry : partitions.entrySet()) for (int p = 0; p < entry.getValue(); p++) {
                if (random.nextInt(4) >= keep) continue;
                String id = ids.get(random.nextInt(skew));
                before.computeIfAbsent(id, k -> new HashMap<>()).computeIfAbsent(entry.getKey(), k -> new HashSet<>()).add(p);
                inverted.computeIfAbsent(entry.getKey(), k -> new HashMap<>()).put(p, id);
            }
            TreeMap<String, MemberSubscriptionAndAssignmentImpl> members = new TreeMap<>();
            StringBuilder line = new StringBuilder(range ? "range |" : "uniform |");
            for (var entry : partitions.entrySet()) line.append(' ').append(entry.getKey().getLeastSignificantBits()).append(':').append(entry.getValue());
            for (String id : ids) {
                boolean isStatic = random.nextInt(4) == 0;
                String instance = "i" + random.nextInt(100) + id;
                members.put(id, new MemberSubscriptionAndAssignmentImpl(Optional.empty(), isStatic ? Optional.of(instance) : Optional.empty(),
                    subs.get(id), new Assignment(before.getOrDefault(id, Map.of()))));
                line.append(" | ").append(id).append(' ').append(isStatic ? instance : "-").append(" [");
                StringJoiner joiner = new StringJoiner(" ");
                for (Uuid t : new TreeSet<>(subs.get(id))) joiner.add("" + t.getLeastSignificantBits());
                line.append(joiner).append("]").append(show(before.getOrDefault(id, Map.of())));
            }
            boolean homogeneous = new HashSet<>(subs.values()).size() == 1;
            GroupSpec spec = new GroupSpecImpl(Collections.unmodifiableMap(members),
                homogeneous ? SubscriptionType.HOMOGENEOUS : SubscriptionType.HETEROGENEOUS, inverted);
            SubscribedTopicDescriber describer = (SubscribedTopicDescriber) Proxy.newProxyInstance(WriteVectors.class.getClassLoader(),
                new Class<?>[] {SubscribedTopicDescriber.class}, (proxy, method, args) -> method.getName().equals("numPartitions") ? partitions.getOrDefault(args[0], -1) : Set.of());
            var result = (range ? new RangeAssignor() : new UniformAssignor()).assign(spec, describer);
            line.append(" =>");
            for (String id : ids) {
                var member = result.members().get(id);
                line.append(" | ").append(id).append(member == null ? "" : show(member.partitions()));
            }
            System.out.println(line);
        }
    }

    static void hashes(Random random) throws Exception {
        var method = Class.forName("org.apache.kafka.coordinator.group.Utils").getDeclaredMethod("computeTopicHash", String.class, CoordinatorMetadataImage.class);
        var group = Class.forName("org.apache.kafka.coordinator.group.Utils").getDeclaredMethod("computeGroupHash", Map.class);
        for (int c = 0; c < 40; c++) {
            int topics = random.nextInt(4) + (c == 0 ? 0 : 1);
            Map<String, Long> hashes = new HashMap<>();
            StringBuilder line = new StringBuilder();
            for (int t = 0; t < topics; t++) {
                String name = "topic-" + "x".repeat(random.nextInt(30)) + t;
                Uuid id = new Uuid(random.nextLong(), random.nextLong());
                int count = random.nextInt(c % 10 == 9 ? 80 : 6);
                List<List<String>> racks = new ArrayList<>();
                for (int p = 0; p < count; p++) {
                    List<String> of = new ArrayList<>();
                    for (int r = random.nextInt(3); r > 0; r--) of.add("rack" + random.nextInt(3));
                    racks.add(of);
                }
                var metadata = (CoordinatorMetadataImage.TopicMetadata) Proxy.newProxyInstance(WriteVectors.class.getClassLoader(),
                    new Class<?>[] {CoordinatorMetadataImage.TopicMetadata.class}, (proxy, m, args) -> switch (m.getName()) {
                        case "name" -> name; case "id" -> id; case "partitionCount" -> count; case "partitionRacks" -> new ArrayList<>(racks.get((int) args[0])); default -> throw new RuntimeException(m.getName()); });
                var image = (CoordinatorMetadataImage) Proxy.newProxyInstance(WriteVectors.class.getClassLoader(),
                    new Class<?>[] {CoordinatorMetadataImage.class}, (proxy, m, args) -> Optional.of(metadata));
                hashes.put(name, (long) method.invoke(null, name, image));
                line.append(name).append(' ').append(id).append(' ');
                StringJoiner all = new StringJoiner("/");
                for (var of : racks) all.add(String.join(",", of));
                line.append(count == 0 ? "-" : all.toString().isEmpty() && count == 1 ? "" : all).append(" | ");
            }
            System.out.println(line + "= " + group.invoke(null, hashes));
        }
    }

    static void regexes() {
        String[] names = {"a", "b", "ab", "topic-1", "topic-22", "orders.eu", "orders_eu", "ORDERS", "__consumer_offsets", "x.y.z", "a.b", "a-b", "0", "aaa"};
        String[] regexes = {"a", "a.*", ".*", "topic-[0-9]+", "topic-\\d{2}", "orders[._]eu", "(?i)orders", "a|b", "^a$", "(a|b)*", "(a*)*b", "[^a]+", "\\Qa.b\\E", "\\Qa.b", "a{2,3}", "a{,3}", "a{", "{a}", "a}", "[[:alpha:]]+",
            "[[a]+", "[a&&b]+", "[a-]b", "[]a]+", "\\w+", "\\W", "\\pL+", "\\p{Lu}+", "(?P<n>a)", "(?<n>a)", "(?:a)", "a++", "a**", "a*?", "a??b?", "(?=a)", "a\\1", "\\", "[", "(", ")", "a)", "*", "+a", "a{1001}", "a{2}{3}", "[z-a]", "\\8", "[[:foo:]]", "\\Aab\\z", "ab\\Z", "\\bab\\b", "(?s).+", "(?x) a", "a(?i)B", "\\x61", "\\x{61}", "\\c", "\\.", "x\\.y.z", "\\_", "\\-", "[\\w.]+", "[\\d-]+", "a|", "|a", "", "()", "a{0}", "[a~~b]", "[a--b]", "(?P<n", "\\pX", "\\C+", "a\\/b", "\\<a", "[\\Qab\\E]+", "topic-(1|22)", "(?!a)b", "(?i:A)B?", "\u00e9|a"};
        for (String regex : regexes) {
            StringBuilder line = new StringBuilder(regex).append('\t');
            try {
                var pattern = com.google.re2j.Pattern.compile(regex);
                StringJoiner joiner = new StringJoiner(" ");
                for (String name : names) if (pattern.matcher(name).matches()) joiner.add(name);
                line.append("=\t").append(joiner);
            } catch (com.google.re2j.PatternSyntaxException e) {
                line.append("!\t").append(e.getDescription());
            }
            System.out.println(line);
        }
    }

    public static void main(String[] args) throws Exception {
        switch (args[0]) {
            case "assignors" -> assignors(new Random(848));
            case "hashes" -> hashes(new Random(1101));
            default -> regexes();
        }
    }
}
