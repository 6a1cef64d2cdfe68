import java.util.Arrays;
import java.util.Objects;
import java.util.function.Supplier;

/** Runs checks and prints their outcome in the form that run.py reads (see harness.py). */
final class Harness {
    static final long WAIT_MS_MAX = 30_000;

    interface Check {
        void run() throws Exception;
    }

    /** An expectation that did not hold; the text is the cause that is printed. */
    static final class CheckFailed extends RuntimeException {
        private static final long serialVersionUID = 1;

        CheckFailed(String cause) {
            super(cause);
        }
    }

    private final String only;
    private int passed;
    private int failed;

    Harness(String only) {
        this.only = only;
    }

    void check(String name, Check check) {
        if (only != null && !name.contains(only)) {
            return;
        }
        long started = System.nanoTime();
        try {
            check.run();
            passed++;
            System.out.printf("PASS %s %.2fs%n", name, (System.nanoTime() - started) / 1e9);
        } catch (Exception | AssertionError error) {
            failed++;
            Throwable cause = error instanceof java.util.concurrent.ExecutionException ? error.getCause() : error;
            String text = cause instanceof CheckFailed ? cause.getMessage() : cause.toString();
            System.out.printf("FAIL %s: %s%n", name, text.replaceAll("\\s+", " "));
        }
    }

    int finish() {
        System.out.printf("DONE passed=%d failed=%d%n", passed, failed);
        return failed == 0 && passed > 0 ? 0 : 1;
    }

    static void expect(boolean condition, String what) {
        if (!condition) {
            throw new CheckFailed(what);
        }
    }

    static void expectEqual(Object actual, Object expected, String what) {
        boolean equal = actual instanceof byte[] a && expected instanceof byte[] b ? Arrays.equals(a, b) : Objects.equals(actual, expected);
        expect(equal, what + ": " + shown(actual) + " where " + shown(expected) + " was expected");
    }

    static void waitUntil(Supplier<Boolean> condition, String what) throws InterruptedException {
        long deadline = System.currentTimeMillis() + WAIT_MS_MAX;
        while (!condition.get()) {
            expect(System.currentTimeMillis() < deadline, what + ": not within " + WAIT_MS_MAX + " ms");
            Thread.sleep(50);
        }
    }

    private static String shown(Object value) {
        String text = value instanceof byte[] bytes ? new String(bytes, java.nio.charset.StandardCharsets.ISO_8859_1) : String.valueOf(value);
        return text.length() <= 160 ? text : text.substring(0, 160) + "... (" + text.length() + " characters)";
    }
}
