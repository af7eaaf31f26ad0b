import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The client of the JDK as it is by default: it offers HTTP/2 with every request. */
public class Client {
    static final HttpClient CLIENT = HttpClient.newHttpClient();

    public static void main(String[] arguments) throws Exception {
        String created = send("POST", arguments[0], "{\"title\": \"first\"}");
        String address = arguments[0] + "/" + find("id", created);
        send("GET", address, null);
        send("PUT", address, "{\"title\": \"second\"}");
        send("DELETE", address, null);
    }

    static String send(String method, String address, String body) throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(address));
        if (body == null) {
            request.method(method, BodyPublishers.noBody());
        } else {
            request.header("Content-Type", "application/json");
            request.method(method, BodyPublishers.ofString(body));
        }
        HttpResponse<String> answer = CLIENT.send(request.build(), BodyHandlers.ofString());
        String title = find("title", answer.body());
        System.out.println((method + " " + answer.statusCode() + " " + title).trim());
        return answer.body();
    }

    static String find(String name, String json) {
        Matcher found = Pattern.compile("\"" + name + "\":\\s*\"([^\"]*)\"").matcher(json);
        return found.find() ? found.group(1) : "";
    }
}
