// Signs one request of JMeter with AWS Signature Version 4 (service execute-api).
// JMeter properties: aws_access_key, aws_secret_key, aws_session_token (may be missing), aws_region.
import java.security.MessageDigest;
import java.text.SimpleDateFormat;
import java.util.Date;
import java.util.TimeZone;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.apache.jmeter.protocol.http.control.Header;

String hex(byte[] bytes) {
    StringBuffer text = new StringBuffer();
    for (int i = 0; i < bytes.length; i++) {
        String digits = Integer.toHexString(bytes[i] & 0xff);
        if (digits.length() == 1) text.append('0');
        text.append(digits);
    }
    return text.toString();
}

byte[] hmac(byte[] key, String message) {
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(key, "HmacSHA256"));
    return mac.doFinal(message.getBytes("UTF-8"));
}

String sha256(byte[] content) {
    return hex(MessageDigest.getInstance("SHA-256").digest(content));
}

SimpleDateFormat clock = new SimpleDateFormat("yyyyMMdd'T'HHmmss'Z'");
clock.setTimeZone(TimeZone.getTimeZone("UTC"));
String now = clock.format(new Date());
String day = now.substring(0, 8);
java.net.URL url = sampler.getUrl();
String host = url.getPort() == -1 ? url.getHost() : url.getHost() + ":" + url.getPort();
String body = sampler.getArguments().getArgument(0).getValue();
String token = props.get("aws_session_token");
String tokenLine = token == null ? "" : "x-amz-security-token:" + token + "\n";
String signed = "content-type;host;x-amz-date" + (token == null ? "" : ";x-amz-security-token");
String canonical = "POST\n" + url.getPath() + "\n\ncontent-type:text/csv\nhost:" + host + "\nx-amz-date:" + now + "\n" +
    tokenLine + "\n" + signed + "\n" + sha256(body.getBytes("UTF-8"));
String scope = day + "/" + props.get("aws_region") + "/execute-api/aws4_request";
String toSign = "AWS4-HMAC-SHA256\n" + now + "\n" + scope + "\n" + sha256(canonical.getBytes("UTF-8"));
byte[] key = hmac(("AWS4" + props.get("aws_secret_key")).getBytes("UTF-8"), day);
key = hmac(hmac(hmac(key, props.get("aws_region")), "execute-api"), "aws4_request");
String signature = hex(hmac(key, toSign));

headers = sampler.getHeaderManager();
headers.removeHeaderNamed("Authorization");
headers.removeHeaderNamed("X-Amz-Date");
headers.add(new Header("X-Amz-Date", now));
headers.add(new Header("Authorization", "AWS4-HMAC-SHA256 Credential=" + props.get("aws_access_key") + "/" + scope +
    ", SignedHeaders=" + signed + ", Signature=" + signature));
if (token != null) {
    headers.removeHeaderNamed("X-Amz-Security-Token");
    headers.add(new Header("X-Amz-Security-Token", token));
}
